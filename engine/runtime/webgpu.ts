import * as ort from 'onnxruntime-node'
import { messageOf, OutOfMemoryError, RuntimeError, UsageError } from '../errors.ts'
import { bindShapes, evaluateShape, type DType, type Graph } from '../ir/index.ts'
import { encodeModel, lower, webgpuRules, type LengthInput } from '../onnx/index.ts'
import type { CompileOptions, Device, DeviceTensor, HostTensor, Program, TensorData } from './device.ts'
import { serialQueue } from './serialQueue.ts'

/** Bytes of an element. */
const bytesOf: { readonly [T in DType]: number } = { float32: 4, int32: 4, bool: 1 }

/** Two runs at once crash the process, whichever device object they belong to: one queue for all. Other threads must not use WebGPU at all. */
const enqueue = serialQueue()

/** Bytes of live tensors of one device, and of those that came back from it. */
interface Ledger {
  bytes: number
  read: number
}

/**
 * A tensor in the memory of the GPU, which nothing reclaims but `dispose`. Masks (bool) are the exception: no kernel hands one on, so they
 * stay here and go up with each run that wants them.
 */
class WebGpuTensor implements DeviceTensor {
  readonly device = 'webgpu'
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly native: ort.Tensor
  readonly #ledger: Ledger
  #disposed = false

  constructor(native: ort.Tensor, ledger: Ledger) {
    this.native = native
    this.shape = native.dims
    this.dtype = native.type as DType
    this.#ledger = ledger
    ledger.bytes += this.#bytes()
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#ledger.bytes -= this.#bytes()
    this.native.dispose()
  }

  #bytes(): number {
    if (this.native.location === 'cpu') return 0
    return this.shape.reduce((a, b) => a * b, 1) * bytesOf[this.dtype]
  }
}

/** As the runtime and Dawn say that there was no memory; a narrowing error is a tensor of more bytes than it counts. */
const outOfMemory = /narrowing_error|failed to allocate|bad_alloc|bad allocation|allocation failed|out of memory|exceeds the max buffer size|device (was |is )?lost/i

const failure = (where: string, error: unknown): RuntimeError => {
  const message = messageOf(error)
  return new (outOfMemory.test(message) ? OutOfMemoryError : RuntimeError)(`${where}: ${message}`, { cause: error })
}

const nativeOf = (tensor: DeviceTensor, where: string): ort.Tensor => {
  if (!(tensor instanceof WebGpuTensor)) throw new RuntimeError(`${where}: expected a tensor of device webgpu, found one of ${tensor.device}`)
  return tensor.native
}

/** Opens a session all of whose nodes run on the GPU: one that would leave a node to the CPU is refused. */
const openSession = async (where: string, model: Uint8Array, staysOnDevice: boolean): Promise<ort.InferenceSession> => {
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: ['webgpu'],
      ...(staysOnDevice ? { preferredOutputLocation: 'gpu-buffer' as const } : {}),
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      extra: { session: { disable_cpu_ep_fallback: '1', intra_op: { allow_spinning: '0' } } },
    })
  } catch (error) {
    if (/RequestAdapter/.test(messageOf(error))) throw new UsageError(`--device webgpu: expected a graphics adapter that Vulkan, Metal or Direct3D 12 reaches, found none`, { cause: error })
    throw failure(where, error)
  }
}

class WebGpuProgram implements Program {
  readonly graph: Graph
  readonly #session: ort.InferenceSession
  readonly #lengths: readonly LengthInput[]
  readonly #ledger: Ledger
  readonly #inPlace: Readonly<Record<string, string>>
  #disposed = false

  constructor(graph: Graph, session: ort.InferenceSession, lengths: readonly LengthInput[], ledger: Ledger, inPlace: Readonly<Record<string, string>>) {
    this.#inPlace = inPlace
    this.graph = graph
    this.#session = session
    this.#lengths = lengths
    this.#ledger = ledger
  }

  run(inputs: Readonly<Record<string, DeviceTensor>>): Promise<Record<string, DeviceTensor>> {
    const where = `graph ${this.graph.name}`
    return enqueue(async () => {
      if (this.#disposed) throw new RuntimeError(`${where}: expected a live program, found one that was disposed of`)
      const bindings = bindShapes(this.graph, Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.shape])))
      const feeds = Object.fromEntries(this.graph.inputs.map(({ params }) => [params.name, nativeOf(inputs[params.name]!, where)]))
      for (const { name, dims } of this.#lengths) feeds[name] = new ort.Tensor('int64', BigInt64Array.from(evaluateShape(dims, bindings), BigInt), [dims.length])
      try {
        const places = Object.entries(this.#inPlace)
        if (places.length > 0) {
          await this.#session.run(feeds, Object.fromEntries(places.map(([output, name]) => [output, feeds[name]!])))
          return {}
        }
        const outputs = await this.#session.run(feeds)
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, new WebGpuTensor(tensor, this.#ledger)]))
      } catch (error) {
        throw failure(where, error)
      }
    })
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    await enqueue(() => this.#session.release())
  }
}

/** A model that hands a tensor on, which is how tensors come to the device and back: there is no copying call that works. */
const identity = (dtype: DType, rank: number): Uint8Array => {
  const shape = Array.from({ length: rank }, (_, axis) => `d${axis}`)
  const value = (name: string) => ({ name, type: dtype, shape })
  return encodeModel({ name: 'identity', nodes: [{ type: 'Identity', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }], constants: [], inputs: [value('x')], outputs: [value('y')] })
}

class WebGpuDevice implements Device {
  readonly name = 'webgpu'
  readonly #programs = new Set<WebGpuProgram>()
  readonly #copies = new Map<string, Promise<ort.InferenceSession>>()
  readonly #ledger: Ledger = { bytes: 0, read: 0 }
  readonly sharesMemory = false

  get liveBytes(): number {
    return this.#ledger.bytes
  }

  get bytesRead(): number {
    return this.#ledger.read
  }

  async upload({ dtype, shape, data }: HostTensor): Promise<DeviceTensor> {
    if (dtype === 'bool') return new WebGpuTensor(new ort.Tensor(dtype, data, shape), this.#ledger)
    const session = await this.#copy('up', dtype, shape.length)
    return enqueue(async () => {
      try {
        const { y } = await session.run({ x: new ort.Tensor(dtype, data, shape) })
        return new WebGpuTensor(y!, this.#ledger)
      } catch (error) {
        throw failure('upload', error)
      }
    })
  }

  async read(tensor: DeviceTensor): Promise<HostTensor> {
    const native = nativeOf(tensor, 'read')
    if (native.location === 'cpu') return { dtype: tensor.dtype, shape: tensor.shape, data: native.data as TensorData }
    const session = await this.#copy('down', tensor.dtype, tensor.shape.length)
    return enqueue(async () => {
      try {
        const { y } = await session.run({ x: native })
        this.#ledger.read += (y!.data as TensorData).byteLength
        return { dtype: tensor.dtype, shape: tensor.shape, data: y!.data as TensorData }
      } catch (error) {
        throw failure('read', error)
      }
    })
  }

  async compile(graph: Graph, { inPlace = {}, constants, float16 }: CompileOptions = {}): Promise<Program> {
    if (constants !== undefined) throw new TypeError(`graph ${graph.name}: expected weights as inputs: a device with a memory of its own keeps tensors there`)
    const model = lower(graph, { rules: webgpuRules, lengthsAsInputs: true, ...(float16 === undefined ? {} : { precision: 'float16', weights: float16.weights }) })
    // With a preferred place for outputs, those that are given are not written to.
    const session = await enqueue(() => openSession(`graph ${graph.name}`, encodeModel(model), Object.keys(inPlace).length === 0))
    const program = new WebGpuProgram(graph, session, model.lengthInputs, this.#ledger, inPlace)
    this.#programs.add(program)
    return program
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.dispose()))
    this.#programs.clear()
    for (const session of this.#copies.values()) await (await session).release()
    this.#copies.clear()
  }

  #copy(direction: 'up' | 'down', dtype: DType, rank: number): Promise<ort.InferenceSession> {
    const key = `${direction} ${dtype} ${rank}`
    const known = this.#copies.get(key)
    if (known !== undefined) return known
    const opened = enqueue(() => openSession(`copy ${key}`, identity(dtype, rank), direction === 'up'))
    this.#copies.set(key, opened)
    return opened
  }
}

/** The GPU that WebGPU reaches (through Vulkan, Metal or Direct3D 12). Not to be used from two threads of a process. */
export const openWebGpu = (): Device => new WebGpuDevice()
