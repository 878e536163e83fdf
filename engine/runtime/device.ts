import type { DType, Graph } from '../ir/index.ts'
import type { FilePart } from '../onnx/index.ts'

export type DeviceName = 'cpu' | 'webgpu'
export type TensorData = Float32Array | Int32Array | Uint8Array

/** A row-major tensor in this process's memory; bool is one byte an element. */
export interface HostTensor {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: TensorData
}

/**
 * A tensor where a device keeps it. It belongs to whoever received it, who disposes of it when done;
 * devices with memory of their own never reclaim an undisposed one.
 */
export interface DeviceTensor {
  readonly device: DeviceName
  readonly dtype: DType
  readonly shape: readonly number[]
  dispose(): void
}

/** Memory of this process for outputs of a program, by their names, of their sizes; undefined is as good as none. */
export type OutputMemory = Readonly<Record<string, Float32Array | undefined>>

/** A compiled graph. */
export interface Program {
  readonly graph: Graph
  /**
   * Runs the graph. Inputs stay the caller's; outputs become the caller's. Runs of one device happen one after the other.
   * `memory` is where the device may put outputs: on the CPU they stand there, a device with memory of its own pays no heed. Outputs of a
   * program compiled with `inPlace` stand in the inputs named there, and are not returned.
   * GraphError names an input that is missing or does not fit; RuntimeError carries what the runtime said.
   */
  run(inputs: Readonly<Record<string, DeviceTensor>>, memory?: OutputMemory): Promise<Record<string, DeviceTensor>>
  dispose(): Promise<void>
}

export interface CompileOptions {
  /** Whether the program keeps the memory of its results for its next run: faster where it runs alone, wasteful where many programs alternate. */
  readonly keepsMemory?: boolean
  /** Whether its threads wait a moment for the next operation before they sleep: for operations so short that waking takes as long as they do. A GPU pays no heed. */
  readonly waitsAwake?: boolean
  /** For each output (all, or none) the input of its shape whose memory it takes, which nothing that comes after it in the graph may read. */
  readonly inPlace?: Readonly<Record<string, string>>
  /**
   * Inputs whose values stay for good, so that runs are not given them: the program lays them out once as its products read them. The runtime reads what stands in files by
   * itself, all of one folder, while the program is made. Only where tensors are in this process's memory.
   */
  readonly constants?: ReadonlyMap<string, Float32Array | FilePart> | undefined
  /**
   * Whether to compute in float16 where that loses nothing that counts in training (onnx/precision.ts); inputs and outputs are float32 all the
   * same. `weights` are inputs that may be rounded wherever they are wanted.
   */
  readonly float16?: { readonly weights: ReadonlySet<string> } | undefined
}

/** Where graphs run. One test suite (device.test.ts) holds every implementation to this. */
export interface Device {
  readonly name: DeviceName
  /** Bytes of its tensors that nobody has disposed of; 0 where they are in this process's memory, which is collected. */
  readonly liveBytes: number
  /** Bytes that came back from a memory of its own since the device was opened; 0 where there is none. */
  readonly bytesRead: number
  /** Whether its tensors are in this process's memory, so that to upload or read one costs nothing. */
  readonly sharesMemory: boolean
  /** Makes a device tensor of host data. On the CPU it is a view: the data must not change before the runs that use it have ended. */
  upload(tensor: HostTensor): Promise<DeviceTensor>
  /** Brings a tensor back; on the CPU without a copy. */
  read(tensor: DeviceTensor): Promise<HostTensor>
  compile(graph: Graph, options?: CompileOptions): Promise<Program>
  /** Disposes of every program; tensors that are still held stay their owners'. */
  dispose(): Promise<void>
}

export const float32 = (data: Float32Array, shape: readonly number[]): HostTensor => ({ dtype: 'float32', shape, data })
export const int32 = (data: Int32Array, shape: readonly number[]): HostTensor => ({ dtype: 'int32', shape, data })
export const bool = (data: Uint8Array, shape: readonly number[]): HostTensor => ({ dtype: 'bool', shape, data })
