import { CheckpointError } from '../errors.ts'
import type { FilePart } from '../onnx/index.ts'
import { openBytes, type ByteSource } from './bytes.ts'
import { PickleRefusal, readPickle } from './pickle.ts'
import { elementBytes, elementsOf, readElements, requireRoom, stampsOf, type StoredType, type TensorSource } from './tensorSource.ts'
import { describeTorch, StoredView, torchNames } from './torchNames.ts'
import { readZipDirectory, type ZipDirectory } from './zip.ts'

/** The pickle of 24 layers with an optimiser's state is 0.4 MB long. */
const longestPickle = 2 ** 23
const mostTensors = 50_000
/** Elements that a view which is not contiguous may span beside four times its own. */
const spareSpan = 2 ** 20

/** A tensor that was checked against the archive. */
interface Place {
  readonly dtype: StoredType
  readonly shape: readonly number[]
  readonly stride: readonly number[]
  /** Of its storage's first element, in bytes, and its own first element there. */
  readonly storage: number
  readonly first: number
}

/** An open file of torch.save. Its pickle was read without executing anything; tensors are read one by one. */
class TorchFile implements TensorSource {
  readonly path: string
  readonly #source: ByteSource
  readonly #places: ReadonlyMap<string, Place>

  constructor(source: ByteSource, places: ReadonlyMap<string, Place>) {
    this.path = source.path
    this.#source = source
    this.#places = places
  }

  names(): string[] {
    return [...this.#places.keys()]
  }

  dtype(name: string): StoredType {
    return this.#place(name).dtype
  }

  shape(name: string): readonly number[] {
    return this.#place(name).shape
  }

  get stamps(): ReadonlyMap<string, string> {
    return stampsOf(this.#source)
  }

  filePart(name: string): FilePart | undefined {
    const place = this.#place(name)
    const offset = startOf(place)
    const bytes = elementsOf(place.shape) * elementBytes.F32
    return place.dtype === 'F32' && bytes > 0 && isContiguous(place) && offset % elementBytes.F32 === 0 ? { path: this.path, offset, bytes } : undefined
  }

  async readInto(name: string, target: Float32Array): Promise<void> {
    const place = this.#place(name)
    requireRoom(this.path, name, place.shape, target)
    if (target.length === 0) return
    const start = startOf(place)
    if (isContiguous(place)) return readElements(this.#source, place.dtype, start, target, name)
    const span = spanOf(place)
    if (span > 4 * target.length + spareSpan) throw new CheckpointError(`${this.path}: tensor ${name}: expected a view of most of its storage, found one of ${target.length} in ${span} elements: save its contiguous copy`)
    const spanned = new Float32Array(span)
    await readElements(this.#source, place.dtype, start, spanned, name)
    gather(spanned, place, target)
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  #place(name: string): Place {
    const place = this.#places.get(name)
    if (place === undefined) throw new CheckpointError(`${this.path}: expected tensor ${name}, found none`)
    return place
  }
}

/** In bytes of the file. */
const startOf = ({ storage, first, dtype }: Place): number => storage + first * elementBytes[dtype]

const isContiguous = ({ shape, stride }: Place): boolean => {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}

/** Elements from a view's first to its last, both included. */
const spanOf = ({ shape, stride }: Pick<Place, 'shape' | 'stride'>): number => shape.reduce((span, length, axis) => span + (length - 1) * stride[axis]!, 1)

/** Copies a view's elements in row-major order. */
const gather = (spanned: Float32Array, { shape, stride }: Place, target: Float32Array): void => {
  const index = shape.map(() => 0)
  let from = 0
  for (let i = 0; i < target.length; i++) {
    target[i] = spanned[from]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += stride[axis]!
      if (++index[axis]! < shape[axis]!) break
      from -= shape[axis]! * stride[axis]!
      index[axis] = 0
    }
  }
}

/** Opens a file of torch.save (the zip format of PyTorch 1.6 and later); CheckpointError says what is wrong with it, and with which tensor. */
export const openTorch = async (path: string): Promise<TensorSource> => {
  const source = await openBytes(path)
  try {
    return await readTorch(source)
  } catch (error) {
    await source.close()
    throw error
  }
}

/** The same of bytes that are open already; whoever opened them closes them when this fails. */
export const readTorch = async (source: ByteSource): Promise<TensorSource> => {
  const complain = (message: string): never => {
    throw new CheckpointError(`${source.path}: ${message}`)
  }
  const directory = await readZipDirectory(source)
  const pickles = directory.names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name))
  if (pickles.length !== 1) complain(`expected one data.pkl in the archive, as torch.save writes it, found ${pickles.length}`)
  const root = pickles[0]!.slice(0, -'data.pkl'.length)
  if (directory.names.includes(`${root}constants.pkl`)) complain('expected a file of torch.save, found a TorchScript program: save its state_dict')
  await requireLittleEndian(source, directory, root, complain)
  const value = unpickle(await bytesOf(source, directory, pickles[0]!, longestPickle, complain), complain)
  const located = new Map<string, Promise<{ offset: number; size: number }>>()
  const locate: Locate = (key) => {
    const known = located.get(key) ?? directory.locate(`${root}data/${key}`)
    located.set(key, known)
    return known
  }
  const places = new Map<string, Place>()
  for (const [name, view] of stateDictionary(value, complain)) places.set(name, await placeOf(name, view, locate, complain))
  return new TorchFile(source, places)
}

/** Where a storage's bytes lie. */
type Locate = (key: string) => Promise<{ readonly offset: number; readonly size: number }>

const bytesOf = async (source: ByteSource, directory: ZipDirectory, name: string, longest: number, complain: (message: string) => never): Promise<Uint8Array> => {
  const { offset, size } = await directory.locate(name)
  if (size > longest) complain(`member ${name}: expected at most ${longest} bytes, found ${size}`)
  const bytes = new Uint8Array(size)
  await source.read(bytes, offset)
  return bytes
}

const requireLittleEndian = async (source: ByteSource, directory: ZipDirectory, root: string, complain: (message: string) => never): Promise<void> => {
  const name = `${root}byteorder`
  if (!directory.names.includes(name)) return
  const order = new TextDecoder().decode(await bytesOf(source, directory, name, 16, complain))
  if (order !== 'little') complain(`expected little-endian tensors, found byte order ${JSON.stringify(order)}`)
}

const unpickle = (bytes: Uint8Array, complain: (message: string) => never): unknown => {
  try {
    return readPickle(bytes, torchNames)
  } catch (error) {
    if (error instanceof PickleRefusal) complain(`data.pkl: ${error.message}`)
    throw error
  }
}

/** Where trainers put the weights in what they save beside them. */
const wrappers = ['model', 'state_dict', 'model_state_dict', 'module']

/** The tensors of a state dictionary, on its own or inside what a trainer saves. */
const stateDictionary = (value: unknown, complain: (message: string) => never): [string, StoredView][] => {
  if (!(value instanceof Map)) return complain(`data.pkl: expected a dictionary of tensors, found ${describeTorch(value)}`)
  const inner = wrappers.filter((key) => value.get(key) instanceof Map)
  if (inner.length > 1) complain(`data.pkl: expected weights in one place, found them under ${inner.join(' and ')}`)
  const weights = (inner.length === 1 ? value.get(inner[0]) : value) as ReadonlyMap<unknown, unknown>
  if (weights.size > mostTensors) complain(`data.pkl: expected at most ${mostTensors} tensors, found ${weights.size}`)
  return [...weights].map(([name, view]) => {
    if (typeof name !== 'string' || !(view instanceof StoredView)) return complain(`data.pkl: ${String(name).slice(0, 100)}: expected a tensor, found ${describeTorch(view)}`)
    return [name, view]
  })
}

/** Checks that a view lies inside its storage, and its storage inside the archive. */
const placeOf = async (name: string, { storage, offset, shape, stride }: StoredView, locate: Locate, complain: (message: string) => never): Promise<Place> => {
  const found = await locate(storage.key)
  const bytes = storage.elements * elementBytes[storage.dtype]
  if (found.size !== bytes) complain(`tensor ${name}: expected a storage of ${bytes} bytes, found ${found.size}`)
  const elements = elementsOf(shape)
  if (shape.length !== stride.length || Number.isNaN(elements)) complain(`tensor ${name}: expected one stride for each axis, found shape [${shape.slice(0, 8).join(', ')}] and strides [${stride.slice(0, 8).join(', ')}]`)
  const end = offset + (elements === 0 ? 0 : spanOf({ shape, stride }))
  if (!(end <= storage.elements)) complain(`tensor ${name}: expected it to end inside its storage of ${storage.elements} elements, found its end at ${end}`)
  return { dtype: storage.dtype, shape, stride, storage: found.offset, first: offset }
}
