import * as ort from 'onnxruntime-node'
import { messageOf, OutOfMemoryError, RuntimeError } from '../errors.ts'
import { bindShapes, evaluateShape, type DType, type Graph } from '../ir/index.ts'
import { cpuRules, encodeModel, lower } from '../onnx/index.ts'
import { forCpu } from './cpuRewrites.ts'
import type { CompileOptions, Device, DeviceTensor, HostTensor, OutputMemory, Program, TensorData } from './device.ts'
import { serialQueue, type Enqueue } from './serialQueue.ts'

/** A tensor of ONNX Runtime that lives in this process's memory. */
class CpuTensor implements DeviceTensor {
  readonly device = 'cpu'
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly native: ort.Tensor

  constructor(native: ort.Tensor) {
    this.native = native
    this.shape = native.dims
    this.dtype = native.type as DType
  }

  dispose(): void {
    this.native.dispose()
  }
}

class CpuProgram implements Program {
  readonly graph: Graph
  readonly #session: ort.InferenceSession
  readonly #enqueue: Enqueue
  readonly #profiled: boolean
  readonly #inPlace: Readonly<Record<string, string>>
  #disposed = false

  constructor(graph: Graph, session: ort.InferenceSession, enqueue: Enqueue, profiled: boolean, inPlace: Readonly<Record<string, string>>) {
    this.#profiled = profiled
    this.#inPlace = inPlace
    this.graph = graph
    this.#session = session
    this.#enqueue = enqueue
  }

  run(inputs: Readonly<Record<string, DeviceTensor>>, memory: OutputMemory = {}): Promise<Record<string, DeviceTensor>> {
    return this.#enqueue(async () => {
      if (this.#disposed) throw new RuntimeError(`graph ${this.graph.name}: expected a live program, found one that was disposed of`)
      const lengths = bindShapes(this.graph, Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.shape])))
      const feeds = Object.fromEntries(this.graph.inputs.map(({ params }) => [params.name, nativeOf(inputs[params.name]!, this.graph)]))
      try {
        const fetches = { ...this.#fetches(memory, lengths), ...Object.fromEntries(Object.entries(this.#inPlace).map(([output, name]) => [output, feeds[name]!])) }
        const outputs = await this.#session.run(feeds, fetches)
        return Object.fromEntries(Object.entries(outputs).filter(([name]) => !(name in this.#inPlace)).map(([name, tensor]) => [name, new CpuTensor(tensor)]))
      } catch (error) {
        throw failure(this.graph, error)
      }
    })
  }

  /** All outputs, those with memory as tensors there. */
  #fetches(memory: OutputMemory, lengths: Readonly<Record<string, number>>): Record<string, ort.Tensor | null> {
    return Object.fromEntries(
      Object.entries(this.graph.outputs).map(([name, { type }]) => {
        const own = memory[name]
        return [name, own === undefined ? null : new ort.Tensor('float32', own, evaluateShape(type.shape, lengths))]
      }),
    )
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    if (this.#profiled) this.#session.endProfiling()
    await this.#session.release()
  }
}

/** How ONNX Runtime, the C++ library and V8 say that there was no memory. */
const outOfMemory = /failed to allocate|bad_alloc|bad allocation|allocation failed|out of memory/i

const failure = (graph: Graph, error: unknown): RuntimeError => {
  const message = messageOf(error)
  return new (outOfMemory.test(message) ? OutOfMemoryError : RuntimeError)(`graph ${graph.name}: ${message}`, { cause: error })
}

const nativeOf = (tensor: DeviceTensor, graph: Graph): ort.Tensor => {
  if (!(tensor instanceof CpuTensor)) throw new RuntimeError(`graph ${graph.name}: expected a tensor of device cpu, found one of ${tensor.device}`)
  return tensor.native
}

class CpuDevice implements Device {
  readonly name = 'cpu'
  readonly liveBytes = 0
  readonly bytesRead = 0
  readonly sharesMemory = true
  readonly #threads: number
  readonly #profile: string | undefined
  readonly #programs = new Set<CpuProgram>()
  readonly #enqueue = serialQueue()

  constructor(threads: number, profile: string | undefined) {
    this.#threads = threads
    this.#profile = profile
  }

  upload({ dtype, shape, data }: HostTensor): Promise<DeviceTensor> {
    return Promise.resolve(new CpuTensor(new ort.Tensor(dtype, data, shape)))
  }

  read(tensor: DeviceTensor): Promise<HostTensor> {
    if (!(tensor instanceof CpuTensor)) return Promise.reject(new RuntimeError(`expected a tensor of device cpu, found one of ${tensor.device}`))
    return Promise.resolve({ dtype: tensor.dtype, shape: tensor.shape, data: tensor.native.data as TensorData })
  }

  async compile(graph: Graph, { keepsMemory = false, inPlace = {}, float16 }: CompileOptions = {}): Promise<Program> {
    try {
      const session = await ort.InferenceSession.create(encodeModel(lower(forCpu(graph), { rules: cpuRules, ...(float16 === undefined ? {} : { precision: 'float16', weights: float16.weights }) })), {
        executionProviders: ['cpu'],
        intraOpNumThreads: this.#threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        // Every program's arena would hold its own peak, and more, for as long as it lives: docs/decisions/0110.
        enableCpuMemArena: keepsMemory,
        enableMemPattern: false,
        ...(this.#profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: `${this.#profile}${graph.name.replaceAll(' ', '-')}` }),
        // Sessions alternate: a pool that spins after its run takes the next one's cores.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      })
      const program = new CpuProgram(graph, session, this.#enqueue, this.#profile !== undefined, inPlace)
      this.#programs.add(program)
      return program
    } catch (error) {
      throw new RuntimeError(`graph ${graph.name}: ${messageOf(error)}`, { cause: error })
    }
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.dispose()))
    this.#programs.clear()
  }
}

/** The CPU of this machine with so many threads (results are bit-equal only for equal numbers of threads). `profile` begins the paths of ONNX Runtime's profiles, one a program. */
export const openCpu = (threads: number, profile?: string): Device => new CpuDevice(threads, profile)
