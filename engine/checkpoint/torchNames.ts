import { describe, isGlobal, PickleRefusal, Tuple, type PickleGlobal, type PickleNames } from './pickle.ts'
import type { StoredType } from './tensorSource.ts'

/** What the pickle says of a storage: the archive's member data/<key> holds its elements. */
class Storage {
  readonly dtype: StoredType
  readonly key: string
  readonly elements: number
  constructor(dtype: StoredType, key: string, elements: number) {
    this.dtype = dtype
    this.key = key
    this.elements = elements
  }
}

/** A tensor: part of a storage, in elements. */
export class StoredView {
  readonly storage: Storage
  readonly offset: number
  readonly shape: readonly number[]
  readonly stride: readonly number[]
  constructor(storage: Storage, offset: number, shape: readonly number[], stride: readonly number[]) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.stride = stride
  }
}

const mostAxes = 16
const storageTypes: Readonly<Record<string, StoredType>> = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
}
/** Objects that tensors and checkpoints mention and weights need not: they stand for nothing. */
const dtypes = ['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool']

export const describeTorch = (value: unknown): string => (value instanceof StoredView ? 'a tensor' : value instanceof Storage ? 'a storage' : describe(value))

const refuse = (what: string, expected: string, found: unknown): never => {
  throw new PickleRefusal(`${what}: expected ${expected}, found ${describeTorch(found)}`)
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

const counts = (value: unknown, what: string): number[] => {
  const items = value instanceof Tuple ? value.items : refuse(what, 'a tuple of counts', value)
  if (items.length > mostAxes) throw new PickleRefusal(`${what}: expected at most ${mostAxes} axes, found ${items.length}`)
  return items.map((item) => (isCount(item) ? item : refuse(what, 'counts', item)))
}

/** torch._utils._rebuild_tensor and _rebuild_tensor_v2: (storage, offset, size, stride, …). */
const tensor = ([storage, offset, size, stride]: readonly unknown[]): StoredView => {
  if (!(storage instanceof Storage)) return refuse('a tensor', 'a storage', storage)
  if (!isCount(offset)) return refuse('a tensor', 'an offset', offset)
  return new StoredView(storage, offset, counts(size, 'the size of a tensor'), counts(stride, 'the strides of a tensor'))
}

/** torch._utils._rebuild_parameter: (tensor, …). */
const parameter = ([data]: readonly unknown[]): StoredView => (data instanceof StoredView ? data : refuse('a parameter', 'a tensor', data))

/** collections.OrderedDict: (), or (pairs,). */
const orderedDictionary = ([pairs, ...more]: readonly unknown[]): Map<unknown, unknown> => {
  const made = new Map<unknown, unknown>()
  if (pairs === undefined) return made
  if (!Array.isArray(pairs) || more.length > 0) return refuse('an OrderedDict', 'a list of pairs', pairs)
  for (const pair of pairs as unknown[]) {
    const [key, value] = pair instanceof Tuple ? pair.items : Array.isArray(pair) ? (pair as unknown[]) : refuse('an OrderedDict', 'pairs', pair)
    if (typeof key !== 'string' && typeof key !== 'number') return refuse('an OrderedDict', 'keys that are strings or numbers', key)
    if (made.has(key)) throw new PickleRefusal(`an OrderedDict: expected every key once, found ${JSON.stringify(key).slice(0, 80)} twice`)
    made.set(key, value)
  }
  return made
}

const size = ([items]: readonly unknown[]): Tuple => new Tuple(counts(items, 'torch.Size'))
const nothing = (): null => null

const callables: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  'collections OrderedDict': orderedDictionary,
  'torch._utils _rebuild_tensor': tensor,
  'torch._utils _rebuild_tensor_v2': tensor,
  'torch._utils _rebuild_parameter': parameter,
  'torch Size': size,
  'torch device': nothing,
}

const globalNamed = (name: string, call?: (args: readonly unknown[]) => unknown): [string, PickleGlobal] => [name, { kind: 'global', name: name.replace(' ', '.'), ...(call === undefined ? {} : { call }) }]

/** torch.save's persistent ids: ('storage', type, key, location, elements). */
const storage = (id: unknown): Storage => {
  if (!(id instanceof Tuple) || id.items.length !== 5) return refuse('a persistent id', 'five items', id)
  const [kind, type, key, , elements] = id.items
  const dtype = isGlobal(type) ? storageTypes[type.name.replace('torch.', '')] : undefined
  if (kind !== 'storage' || dtype === undefined) return refuse('a persistent id', 'a storage of a known type', type)
  if (typeof key !== 'string' || !/^[\w.-]{1,64}$/.test(key)) return refuse('a storage', 'a short key', key)
  return isCount(elements) ? new Storage(dtype, key, elements) : refuse('a storage', 'a number of elements', elements)
}

/** The names that a pickle of weights may mention; all others are refused. */
export const torchNames: PickleNames = {
  globals: new Map([
    ...Object.entries(callables).map(([name, call]) => globalNamed(name, call)),
    ...Object.keys(storageTypes).map((name) => globalNamed(`torch ${name}`)),
    ...dtypes.map((name) => globalNamed(`torch ${name}`)),
  ]),
  persistent: storage,
}
