import { CheckpointError } from '../errors.ts'
import { bfloat16Into, float16Into } from '../float16.ts'
import type { FilePart } from '../onnx/index.ts'
import type { ByteSource } from './bytes.ts'

/** Bytes an element of each dtype, under safetensors' names. */
export const elementBytes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const
export type StoredType = keyof typeof elementBytes
export const storedTypes = Object.keys(elementBytes) as [StoredType, ...StoredType[]]

/** Named tensors in one or several open files. Opening checked their descriptions against the bytes that are there; values are read on demand. */
export interface TensorSource {
  /** The file to name in messages. */
  readonly path: string
  names(): string[]
  dtype(name: string): StoredType
  shape(name: string): readonly number[]
  /**
   * Writes a tensor, row-major, as float32, whichever float type it is stored in. CheckpointError when there is none of that name, when
   * it holds integers, or when `target` has another length. Needs no memory of the tensor's size besides `target`.
   */
  readInto(name: string, target: Float32Array): Promise<void>
  /** Where a tensor stands just as it would in memory: row-major float32 at a multiple of four bytes. */
  filePart(name: string): FilePart | undefined
  /** The files with tensors in them, and what `stampOf` said of each when it was opened. */
  readonly stamps: ReadonlyMap<string, string>
  close(): Promise<void>
}

/** Of a source that is one file. */
export const stampsOf = ({ path, stamp }: ByteSource): ReadonlyMap<string, string> => new Map(stamp === undefined ? [] : [[path, stamp]])

/** Elements of a shape; NaN when a length is no count or there are more than a number can say. */
export const elementsOf = (shape: readonly number[]): number => {
  const elements = shape.reduce((product, length) => (Number.isSafeInteger(length) && length >= 0 ? product * length : NaN), 1)
  return Number.isSafeInteger(elements) ? elements : NaN
}

/** Elements that are converted at a time. */
const pieceElements = 2 ** 20

/** Reads contiguous elements from `offset` (in bytes) on into `target`; `tensor` names them in the error about integers. */
export const readElements = async (source: ByteSource, dtype: StoredType, offset: number, target: Float32Array, tensor: string): Promise<void> => {
  if (dtype === 'F32') return source.read(new Uint8Array(target.buffer, target.byteOffset, target.byteLength), offset)
  const convert = converters[dtype]
  if (convert === undefined) return refuseType(source.path, tensor, dtype)
  const piece = new ArrayBuffer(Math.min(target.length, pieceElements) * elementBytes[dtype])
  for (let done = 0; done < target.length; done += pieceElements) {
    const count = Math.min(pieceElements, target.length - done)
    await source.read(new Uint8Array(piece, 0, count * elementBytes[dtype]), offset + done * elementBytes[dtype])
    convert(piece, target.subarray(done, done + count))
  }
}

const converters: Partial<Record<StoredType, (piece: ArrayBuffer, target: Float32Array) => void>> = {
  F64: (piece, target) => target.set(new Float64Array(piece, 0, target.length)),
  F16: (piece, target) => float16Into(new Uint16Array(piece, 0, target.length), target),
  BF16: (piece, target) => bfloat16Into(new Uint16Array(piece, 0, target.length), target),
}

const refuseType = (path: string, tensor: string, dtype: StoredType): never => {
  throw new CheckpointError(`${path}: tensor ${tensor}: expected a float type, found ${dtype}`)
}

/** CheckpointError when a tensor holds no floats. */
export const requireFloat = (source: Pick<TensorSource, 'path' | 'dtype'>, name: string): void => {
  const dtype = source.dtype(name)
  if (dtype !== 'F32' && converters[dtype] === undefined) refuseType(source.path, name, dtype)
}

/** CheckpointError unless `target` has one place for each element. */
export const requireRoom = (path: string, name: string, shape: readonly number[], target: Float32Array): void => {
  const elements = elementsOf(shape)
  if (elements !== target.length) throw new CheckpointError(`${path}: tensor ${name}: expected ${target.length} values, found ${elements} (shape [${shape.join(', ')}])`)
}

/** A whole tensor in an array of its own. */
export const readTensor = async (source: TensorSource, name: string): Promise<Float32Array> => {
  const target = new Float32Array(elementsOf(source.shape(name)))
  await source.readInto(name, target)
  return target
}
