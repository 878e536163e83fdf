import { dirname } from 'node:path'
import * as ort from 'onnxruntime-node'
import { messageOf, OutOfMemoryError, RuntimeError } from '../errors.ts'
import { bindShapes, evaluateShape, type DType, type Graph, type Value } from '../ir/index.ts'
import { cpuRules, encodeModel, lower, type FilePart, type OnnxModel } from '../onnx/index.ts'
import { forCpu } from './cpuRewrites.ts'
import type { CompileOptions, Device, DeviceTensor, HostTensor, OutputMemory, Program, TensorData } from './device.ts'
import { MemoryPool } from './memoryPool.ts'
import { serialQueue, type Enqueue } from './serialQueue.ts'

/** A tensor of ONNX Runtime that lives in this process's memory. */
class CpuTensor implements DeviceTensor {
  readonly device = 'cpu'
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly native: ort.Tensor
  /** Where its memory goes when it is disposed of. */
  #pool: MemoryPool | undefined

  constructor(native: ort.Tensor, pool?: MemoryPool) {
    this.native = native
    this.shape = native.dims
    this.dtype = native.type as DType
    this.#pool = pool
  }

  /** The data, which stay for good: who reads them may look at them after the tensor is disposed of. */
  read(): TensorData {
    this.#pool = undefined
    return this.native.data as TensorData
  }

  dispose(): void {
    this.#pool?.give((this.native.data as TensorData).buffer as ArrayBuffer)
    this.#pool = undefined
    this.native.dispose()
  }
}

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const satisfies { readonly [T in DType]: unknown }

/** Name and error of an output that the binding cannot hand over. */
const sentinel = { name: 'handed over nothing', error: /Non tensor type is temporarily not supported/ } as const

/**
 * Results stand in memory that we hand in, and the binding would copy each into a new array besides; it starts with the first output, and gives up there when that is
 * a sequence (docs/decisions/0111). Should it ever not, the copies go unused.
 */
const withSentinel = (model: OnnxModel): OnnxModel => ({
  ...model,
  nodes: [{ type: 'SequenceEmpty', domain: '', inputs: [], outputs: [sentinel.name], attributes: {} }, ...model.nodes],
  outputs: [{ name: sentinel.name, type: 'float32', shape: [], isSequence: true }, ...model.outputs],
})

class CpuProgram implements Program {
  readonly graph: Graph
  readonly #session: ort.InferenceSession
  readonly #enqueue: Enqueue
  readonly #pool: MemoryPool
  readonly #profiled: boolean
  readonly #inPlace: Readonly<Record<string, string>>
  /** Names of the inputs that runs are given, and shapes of those that the session keeps. */
  readonly #given: readonly string[]
  readonly #kept: Readonly<Record<string, readonly number[]>>
  #disposed = false

  constructor(
    graph: Graph,
    session: ort.InferenceSession,
    { enqueue, pool, profiled, inPlace, constants }: { enqueue: Enqueue; pool: MemoryPool; profiled: boolean; inPlace: Readonly<Record<string, string>>; constants: Constants },
  ) {
    const isKept = ({ params }: Value<'input'>): boolean => constants.has(params.name)
    this.#given = graph.inputs.filter((value) => !isKept(value)).map(({ params }) => params.name)
    this.#kept = Object.fromEntries(graph.inputs.filter(isKept).map(({ params, type }) => [params.name, evaluateShape(type.shape, {})]))
    this.#profiled = profiled
    this.#inPlace = inPlace
    this.#pool = pool
    this.graph = graph
    this.#session = session
    this.#enqueue = enqueue
  }

  run(inputs: Readonly<Record<string, DeviceTensor>>, memory: OutputMemory = {}): Promise<Record<string, DeviceTensor>> {
    return this.#enqueue(async () => {
      if (this.#disposed) throw new RuntimeError(`graph ${this.graph.name}: expected a live program, found one that was disposed of`)
      const lengths = bindShapes(this.graph, { ...Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.shape])), ...this.#kept })
      const feeds = Object.fromEntries(this.#given.map((name) => [name, nativeOf(inputs[name]!, this.graph)]))
      const results: Record<string, CpuTensor> = {}
      try {
        for (const [name, { type }] of Object.entries(this.graph.outputs)) if (!(name in this.#inPlace)) results[name] = this.#result(type.dtype, evaluateShape(type.shape, lengths), memory[name])
        const fetches = Object.fromEntries(Object.keys(this.graph.outputs).map((name) => [name, results[name]?.native ?? feeds[this.#inPlace[name]!]!]))
        await this.#session.run(feeds, { [sentinel.name]: null, ...fetches })
      } catch (error) {
        if (!sentinel.error.test(messageOf(error))) {
          for (const result of Object.values(results)) result.dispose()
          throw failure(this.graph, error)
        }
      }
      return results
    })
  }

  /** Where an output will stand: in memory that was handed in, or in the pool's. */
  #result(dtype: DType, shape: readonly number[], own: Float32Array | undefined): CpuTensor {
    if (own !== undefined) return new CpuTensor(new ort.Tensor('float32', own, shape))
    const length = shape.reduce((a, b) => a * b, 1)
    const array = arrays[dtype]
    return new CpuTensor(new ort.Tensor(dtype, new array(this.#pool.take(length * array.BYTES_PER_ELEMENT), 0, length), shape), this.#pool)
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    if (this.#profiled) this.#session.endProfiling()
    await this.#session.release()
  }
}

/** How ONNX Runtime, the C++ library and V8 say that there was no memory. */
const outOfMemory = /invalid array buffer length|failed to allocate|bad_alloc|bad allocation|allocation failed|out of memory/i

const failure = (graph: Graph, error: unknown): RuntimeError => {
  const message = messageOf(error)
  return new (outOfMemory.test(message) ? OutOfMemoryError : RuntimeError)(`graph ${graph.name}: ${message}`, { cause: error })
}

const nativeOf = (tensor: DeviceTensor, graph: Graph): ort.Tensor => {
  if (!(tensor instanceof CpuTensor)) throw new RuntimeError(`graph ${graph.name}: expected a tensor of device cpu, found one of ${tensor.device}`)
  return tensor.native
}

/**
 * Optimisers of ONNX Runtime that would put slower kernels in the place of faster ones: a sum with its norm 1.6 instead of 0.4 ms for [499, 768], a sum with its GELU 2.0 instead of 1.4 ms for [499, 3072], and
 * products that transpose (`cpuRewrites.ts`).
 */
const unwanted = ['SkipLayerNormFusion', 'BiasGeluFusion', 'GemmTransposeFusion'].join(';')

/** How long a thread of a program that waits awake does so. */
const awakeMicroseconds = '200'

type Constants = ReadonlyMap<string, Float32Array | FilePart>

/** The folder that a program's files are in; TypeError when there are several. */
const folderOf = (constants: Constants): string | undefined => {
  const folders = new Set([...constants.values()].flatMap((value) => (value instanceof Float32Array ? [] : [dirname(value.path)])))
  if (folders.size > 1) throw new TypeError(`expected the files of a program in one folder, found ${[...folders].join(', ')}`)
  return [...folders][0]
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
  readonly #pool = new MemoryPool()

  constructor(threads: number, profile: string | undefined) {
    this.#threads = threads
    this.#profile = profile
  }

  upload({ dtype, shape, data }: HostTensor): Promise<DeviceTensor> {
    return Promise.resolve(new CpuTensor(new ort.Tensor(dtype, data, shape)))
  }

  read(tensor: DeviceTensor): Promise<HostTensor> {
    if (!(tensor instanceof CpuTensor)) return Promise.reject(new RuntimeError(`expected a tensor of device cpu, found one of ${tensor.device}`))
    return Promise.resolve({ dtype: tensor.dtype, shape: tensor.shape, data: tensor.read() })
  }

  async compile(graph: Graph, { keepsMemory = false, waitsAwake = false, inPlace = {}, constants = new Map(), float16 }: CompileOptions = {}): Promise<Program> {
    const model = lower(forCpu(graph), { rules: cpuRules, directOutputs: true, parameters: constants, ...(float16 === undefined ? {} : { precision: 'float16', weights: float16.weights }) })
    const folder = folderOf(constants)
    try {
      const session = await ort.InferenceSession.create(encodeModel(withSentinel(model)), {
        executionProviders: ['cpu'],
        intraOpNumThreads: this.#threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        // Every program's arena would hold its own peak, and more, for as long as it lives: docs/decisions/0110.
        enableCpuMemArena: keepsMemory,
        // Plans of a run's memory cost some, which there is where weights stand in memory once: docs/decisions/0115.
        enableMemPattern: keepsMemory && constants.size > 0,
        ...(this.#profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: `${this.#profile}${graph.name.replaceAll(' ', '-')}` }),
        // Sessions alternate: a pool that spins after its run takes the next one's cores, for long unless it is told how long.
        extra: { optimization: { disable_specified_optimizers: unwanted }, session: { ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }), intra_op: waitsAwake ? { allow_spinning: '1', spin_duration_us: awakeMicroseconds } : { allow_spinning: '0' } } },
      })
      const program = new CpuProgram(graph, session, { enqueue: this.#enqueue, pool: this.#pool, profiled: this.#profile !== undefined, inPlace, constants })
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
