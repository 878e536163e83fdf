import * as ort from 'onnxruntime-node'
import { messageOf, RuntimeError } from '../errors.ts'

type FileTensorData = Float32Array | BigInt64Array

/** A row-major tensor that an ONNX file takes or gives. */
export interface FileTensor {
  readonly shape: readonly number[]
  readonly data: FileTensorData
}

/** An ONNX file as whoever receives it would run it: on the CPU, from its path. */
export interface OnnxFile {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Runs the file; RuntimeError carries what the runtime said. */
  run(inputs: Readonly<Record<string, FileTensor>>): Promise<Record<string, FileTensor>>
  dispose(): Promise<void>
}

/** Opens an ONNX file with so many threads; RuntimeError says why the runtime refuses it. */
export const openOnnxFile = async (path: string, { threads }: { threads: number }): Promise<OnnxFile> => {
  const fail = (error: unknown): never => {
    throw new RuntimeError(`${path}: ${messageOf(error)}`, { cause: error })
  }
  const session = await ort.InferenceSession.create(path, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  }).catch(fail)
  const native = ({ data, shape }: FileTensor): ort.Tensor => (data instanceof BigInt64Array ? new ort.Tensor('int64', data, shape) : new ort.Tensor('float32', data, shape))
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    run: async (inputs) => {
      const outputs = await session.run(Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, native(tensor)]))).catch(fail)
      return Object.fromEntries(Object.entries(outputs).map(([name, { dims, data }]) => [name, { shape: dims, data: data as FileTensorData }]))
    },
    dispose: () => session.release(),
  }
}
