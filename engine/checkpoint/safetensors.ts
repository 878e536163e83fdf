import type { Hash } from 'node:crypto'
import { z } from 'zod'
import { CheckpointError, messageOf } from '../errors.ts'
import { toFloat16 } from '../float16.ts'
import type { FilePart } from '../onnx/index.ts'
import { writeFileAtomic } from './atomic.ts'
import { openBytes, type ByteSource } from './bytes.ts'
import { parseStrictJson } from './strictJson.ts'
import { elementBytes, elementsOf, readElements, readTensor, requireRoom, stampsOf, storedTypes, type StoredType, type TensorSource } from './tensorSource.ts'

const entrySchema = z.object({
  dtype: z.enum(storedTypes),
  shape: z.array(z.int().nonnegative()).max(16),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
})
type Entry = z.infer<typeof entrySchema>

/** A header of 24 layers is 60 kB long and holds 5,000 values. */
const longestHeader = 2 ** 23
const headerBounds = { depth: 3, values: 200_000 }

/** A tensor to write. */
export interface NamedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** An open safetensors file. Its header was checked; tensors are read one by one. */
export class TensorFile implements TensorSource {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly #source: ByteSource
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #dataStart: number

  constructor(source: ByteSource, entries: ReadonlyMap<string, Entry>, metadata: Readonly<Record<string, string>>, dataStart: number) {
    this.path = source.path
    this.metadata = metadata
    this.#source = source
    this.#entries = entries
    this.#dataStart = dataStart
  }

  names(): string[] {
    return [...this.#entries.keys()]
  }

  dtype(name: string): StoredType {
    return this.#entry(name).dtype
  }

  shape(name: string): readonly number[] {
    return this.#entry(name).shape
  }

  async readInto(name: string, target: Float32Array): Promise<void> {
    const { dtype, shape, data_offsets: [start] } = this.#entry(name)
    requireRoom(this.path, name, shape, target)
    await readElements(this.#source, dtype, this.#dataStart + start, target, name)
  }

  get stamps(): ReadonlyMap<string, string> {
    return stampsOf(this.#source)
  }

  filePart(name: string): FilePart | undefined {
    const { dtype, data_offsets: [start, end] } = this.#entry(name)
    const offset = this.#dataStart + start
    return dtype === 'F32' && offset % elementBytes.F32 === 0 ? { path: this.path, offset, bytes: end - start } : undefined
  }

  /** The tensor in float32, in an array of its own. */
  read(name: string): Promise<Float32Array> {
    return readTensor(this, name)
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new CheckpointError(`${this.path}: expected tensor ${name}, found none`)
    return entry
  }
}

/** Opens a file and checks its header; CheckpointError says what is wrong with it, and with which tensor. */
export const openSafetensors = async (path: string): Promise<TensorFile> => {
  const source = await openBytes(path)
  try {
    return await readSafetensors(source)
  } catch (error) {
    await source.close()
    throw error
  }
}

/** The same of bytes that are open already; whoever opened them closes them when this fails. */
export const readSafetensors = async (source: ByteSource): Promise<TensorFile> => {
  const { path, size } = source
  const complain = (message: string): never => {
    throw new CheckpointError(`${path}: ${message}`)
  }
  if (size < 8) complain(`expected a safetensors file, found ${size} bytes`)
  const prefix = new Uint8Array(8)
  await source.read(prefix, 0)
  const headerBytes = Number(new DataView(prefix.buffer).getBigUint64(0, true))
  if (8 + headerBytes > size) complain(`expected a header of ${headerBytes} bytes, found a file of ${size}: truncated, or not safetensors`)
  if (headerBytes > longestHeader) complain(`expected a header of at most ${longestHeader} bytes, found ${headerBytes}`)
  const header = new Uint8Array(headerBytes)
  await source.read(header, 8)
  const { entries, metadata } = parseHeader(header, size - 8 - headerBytes, complain)
  return new TensorFile(source, entries, metadata, 8 + headerBytes)
}

const parseHeader = (header: Uint8Array, dataBytes: number, complain: (message: string) => never): { entries: Map<string, Entry>; metadata: Record<string, string> } => {
  let json: unknown
  try {
    json = parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(header), headerBounds)
  } catch (error) {
    complain(`expected a JSON header, found ${messageOf(error)}`)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) complain('expected a JSON object as header')
  const { __metadata__: metadata, ...tensors } = json as Record<string, unknown>
  const entries = new Map<string, Entry>()
  for (const [name, value] of Object.entries(tensors)) {
    const parsed = entrySchema.safeParse(value)
    if (!parsed.success) complain(`tensor ${name.slice(0, 100)}: expected dtype, shape and data_offsets, found ${JSON.stringify(value).slice(0, 100)}`)
    const entry = parsed.data
    const [start, end] = entry.data_offsets
    const bytes = elementsOf(entry.shape) * elementBytes[entry.dtype]
    if (Number.isNaN(bytes)) complain(`tensor ${name}: expected a shape that fits the file, found more elements than a number can say`)
    if (end - start !== bytes) complain(`tensor ${name}: expected ${bytes} bytes for its shape, found ${end - start}`)
    if (end > dataBytes) complain(`tensor ${name}: expected data up to byte ${end}, found ${dataBytes}: the file is truncated`)
    entries.set(name, entry)
  }
  let reached = 0
  for (const [name, { data_offsets: [start, end] }] of [...entries].sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1])) {
    if (start !== reached) complain(`tensor ${name}: expected its data at byte ${reached}, found ${start}`)
    reached = end
  }
  if (reached !== dataBytes) complain(`expected ${reached} bytes of tensor data, found ${dataBytes}`)
  const parsedMetadata = z.record(z.string(), z.string()).safeParse(metadata ?? {})
  return { entries, metadata: parsedMetadata.success ? parsedMetadata.data : complain('expected __metadata__ of strings') }
}

interface SafetensorsOptions {
  readonly metadata?: Readonly<Record<string, string>>
  /** Float type of the file; values beyond float16 become infinite there. */
  readonly precision?: 'float32' | 'float16'
  /** Hears the bytes as they are written. */
  readonly hash?: Hash
}

/** Writes tensors in the order given, with the header padded so that their data is aligned to 8 bytes. */
export const writeSafetensors = async (path: string, tensors: Iterable<NamedTensor>, { metadata = {}, precision = 'float32', hash }: SafetensorsOptions = {}): Promise<void> => {
  const list = [...tensors]
  const dtype = precision === 'float32' ? 'F32' : 'F16'
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata }
  let offset = 0
  for (const { name, shape, data } of list) {
    const end = offset + data.length * elementBytes[dtype]
    header[name] = { dtype, shape, data_offsets: [offset, end] }
    offset = end
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true)
  padded.set(text, 8)
  const pieces = function* (): Generator<Uint8Array> {
    yield padded
    // One tensor at a time is converted.
    for (const { data } of list) yield bytesOf(precision === 'float32' ? data : toFloat16(data))
  }
  const heard = function* (): Generator<Uint8Array> {
    for (const piece of pieces()) {
      hash?.update(piece)
      yield piece
    }
  }
  await writeFileAtomic(path, heard())
}

const bytesOf = (data: Float32Array | Uint16Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
