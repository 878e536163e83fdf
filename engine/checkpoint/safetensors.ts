import type { Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import { CheckpointError, messageOf, MissingFileError } from '../errors.ts'
import { toFloat16 } from '../float16.ts'
import { writeFileAtomic } from './atomic.ts'
import { fromBfloat16, fromFloat16 } from './halfFloats.ts'

/** Bytes an element of each dtype of the safetensors format. */
const elementBytes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const
type StoredType = keyof typeof elementBytes

const entrySchema = z.object({
  dtype: z.enum(Object.keys(elementBytes) as [StoredType, ...StoredType[]]),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
})
type Entry = z.infer<typeof entrySchema>

const longestHeader = 100_000_000

/** A tensor to write. */
export interface NamedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** An open safetensors file. Its header was checked; tensors are read one by one. */
export class TensorFile {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly #handle: FileHandle
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #dataStart: number

  constructor(path: string, handle: FileHandle, entries: ReadonlyMap<string, Entry>, metadata: Readonly<Record<string, string>>, dataStart: number) {
    this.path = path
    this.metadata = metadata
    this.#handle = handle
    this.#entries = entries
    this.#dataStart = dataStart
  }

  names(): string[] {
    return [...this.#entries.keys()]
  }

  shape(name: string): readonly number[] {
    return this.#entry(name).shape
  }

  /** The tensor in float32, whichever float type it is stored in. */
  async read(name: string): Promise<Float32Array> {
    const { dtype, data_offsets: [start, end] } = this.#entry(name)
    const bytes = new Uint8Array(end - start)
    for (let offset = 0; offset < bytes.length; ) {
      const { bytesRead } = await this.#handle.read(bytes, offset, bytes.length - offset, this.#dataStart + start + offset)
      if (bytesRead === 0) throw new CheckpointError(`${this.path}: tensor ${name}: expected ${bytes.length} bytes, found the end of the file after ${offset}`)
      offset += bytesRead
    }
    switch (dtype) {
      case 'F32':
        return new Float32Array(bytes.buffer)
      case 'F64':
        return Float32Array.from(new Float64Array(bytes.buffer))
      case 'F16':
        return Float32Array.from(new Uint16Array(bytes.buffer), fromFloat16)
      case 'BF16':
        return fromBfloat16(new Uint16Array(bytes.buffer))
      case 'I64':
      case 'I32':
      case 'I16':
      case 'I8':
      case 'U8':
      case 'BOOL':
        throw new CheckpointError(`${this.path}: tensor ${name}: expected a float type, found ${dtype}`)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new CheckpointError(`${this.path}: expected tensor ${name}, found none`)
    return entry
  }
}

/** Opens a file and checks its header; CheckpointError says what is wrong with it, and with which tensor. */
export const openSafetensors = async (path: string): Promise<TensorFile> => {
  const handle = await open(path).catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a safetensors file, found ${messageOf(error)}`)
  })
  try {
    const { size } = await handle.stat()
    const complain = (message: string): never => {
      throw new CheckpointError(`${path}: ${message}`)
    }
    if (size < 8) complain(`expected a safetensors file, found ${size} bytes`)
    const prefix = new Uint8Array(8)
    await handle.read(prefix, 0, 8, 0)
    const headerBytes = Number(new DataView(prefix.buffer).getBigUint64(0, true))
    if (headerBytes > longestHeader || 8 + headerBytes > size) complain(`expected a header of ${headerBytes} bytes, found a file of ${size}: truncated, or not safetensors`)
    const header = new Uint8Array(headerBytes)
    await handle.read(header, 0, headerBytes, 8)
    const { entries, metadata } = parseHeader(header, size - 8 - headerBytes, complain)
    return new TensorFile(path, handle, entries, metadata, 8 + headerBytes)
  } catch (error) {
    await handle.close()
    throw error
  }
}

const parseHeader = (header: Uint8Array, dataBytes: number, complain: (message: string) => never): { entries: Map<string, Entry>; metadata: Record<string, string> } => {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header))
  } catch (error) {
    complain(`expected a JSON header, found ${messageOf(error)}`)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) complain('expected a JSON object as header')
  const { __metadata__: metadata, ...tensors } = json as Record<string, unknown>
  const entries = new Map<string, Entry>()
  for (const [name, value] of Object.entries(tensors)) {
    const parsed = entrySchema.safeParse(value)
    if (!parsed.success) complain(`tensor ${name}: expected dtype, shape and data_offsets, found ${JSON.stringify(value).slice(0, 100)}`)
    const entry = parsed.data
    const [start, end] = entry.data_offsets
    const bytes = entry.shape.reduce((a, b) => a * b, 1) * elementBytes[entry.dtype]
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
