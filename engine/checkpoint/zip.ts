import { CheckpointError } from '../errors.ts'
import type { ByteSource } from './bytes.ts'

/**
 * The directory of a zip archive (APPNOTE 6.3, with zip64) whose members are stored as they are, as torch.save writes them. Nothing is
 * inflated: what could be a zip bomb is refused. Every member's bytes lie between its own header and the next member's.
 */
export interface ZipDirectory {
  readonly names: readonly string[]
  /** Where a member's bytes lie, after a look at its own header; CheckpointError when there is no such member. */
  locate(name: string): Promise<{ readonly offset: number; readonly size: number }>
}

interface Member {
  readonly name: string
  /** Of its own header. */
  readonly header: number
  readonly size: number
  /** Where the next header, or the directory, begins. */
  limit: number
}

const signatures = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 } as const
const endBytes = 22
const longestComment = 65_535
const longestDirectory = 2 ** 23
const mostMembers = 100_000
/** What a 32-bit field holds when the zip64 field has the value. */
const elsewhere = 0xffffffff

type Complain = (message: string) => never

/** Reads and checks the directory; CheckpointError says what is wrong, and with which member. */
export const readZipDirectory = async (source: ByteSource): Promise<ZipDirectory> => {
  const complain: Complain = (message) => {
    throw new CheckpointError(`${source.path}: ${message}`)
  }
  const { count, offset, size } = await findDirectory(source, complain)
  if (size > longestDirectory || count > mostMembers) complain(`expected a zip directory of at most ${longestDirectory} bytes and ${mostMembers} members, found ${size} bytes and ${count} members`)
  const members = parseDirectory(await viewAt(source, offset, size), count, complain)
  const byHeader = [...members.values()].sort((a, b) => a.header - b.header)
  byHeader.forEach((member, i) => {
    member.limit = byHeader[i + 1]?.header ?? offset
    // 30 bytes and the name: the least that a header takes.
    if (member.header + 30 + member.name.length + member.size > member.limit) complain(`member ${member.name}: expected its ${member.size} bytes to end before byte ${member.limit}, where the next thing begins: overlapping, or truncated`)
  })
  return {
    names: [...members.keys()],
    locate: async (name) => locate(source, members.get(name) ?? complain(`expected a member ${name}, found none`), complain),
  }
}

const viewAt = async (source: ByteSource, offset: number, length: number): Promise<DataView<ArrayBuffer>> => {
  const bytes = new Uint8Array(length)
  await source.read(bytes, offset)
  return new DataView(bytes.buffer)
}

/** The end record, or the zip64 one it points to. */
const findDirectory = async (source: ByteSource, complain: Complain): Promise<{ count: number; offset: number; size: number }> => {
  const start = Math.max(0, source.size - endBytes - longestComment)
  const tail = await viewAt(source, start, source.size - start)
  let at = tail.byteLength - endBytes
  while (at >= 0 && !(tail.getUint32(at, true) === signatures.end && at + endBytes + tail.getUint16(at + 20, true) === tail.byteLength)) at--
  if (at < 0) complain(`expected a zip archive, found no end record in the last ${tail.byteLength} bytes: truncated, or not a file of torch.save`)
  if (tail.getUint16(at + 4, true) !== 0 || tail.getUint16(at + 6, true) !== 0) complain('expected a zip archive in one part, found several')
  let end = start + at
  let found = { count: tail.getUint16(at + 10, true), size: tail.getUint32(at + 12, true), offset: tail.getUint32(at + 16, true) }
  if (at >= 20 && tail.getUint32(at - 20, true) === signatures.locator64) {
    end = numberAt(tail, at - 12, complain)
    if (end + 56 > start + at - 20) complain(`expected a zip64 end record before byte ${start + at - 20}, found its place to be ${end}`)
    const record = await viewAt(source, end, 56)
    if (record.getUint32(0, true) !== signatures.end64) complain(`expected a zip64 end record at byte ${end}, found none`)
    found = { count: numberAt(record, 32, complain), size: numberAt(record, 40, complain), offset: numberAt(record, 48, complain) }
  }
  if (found.offset + found.size > end) complain(`expected a zip directory that ends before byte ${end}, found ${found.size} bytes at ${found.offset}`)
  return found
}

/** A 64-bit length or place. */
const numberAt = (view: DataView, at: number, complain: Complain): number => {
  const value = view.getBigUint64(at, true)
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : complain(`expected a 64-bit length or place inside the file, found ${value}`)
}

const parseDirectory = (view: DataView<ArrayBuffer>, count: number, complain: Complain): Map<string, Member> => {
  const members = new Map<string, Member>()
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== signatures.central) complain(`expected ${count} members in the zip directory, found ${i}`)
    const lengths = { name: view.getUint16(at + 28, true), extra: view.getUint16(at + 30, true), comment: view.getUint16(at + 32, true) }
    const next = at + 46 + lengths.name + lengths.extra + lengths.comment
    if (next > view.byteLength) complain(`expected member ${i} to end inside the zip directory, found ${next - view.byteLength} bytes beyond it`)
    const name = nameAt(view, at + 46, lengths.name, complain)
    if (members.has(name)) complain(`expected every zip member once, found ${name} twice`)
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)]
    if ((flags & 1) !== 0) complain(`member ${name}: expected bytes as they are, found them encrypted`)
    if (method !== 0) complain(`member ${name}: expected bytes as they are, found them compressed (method ${method}): torch.save does not; load and save the file with it`)
    const wide = zip64Values(view, at, at + 46 + lengths.name, lengths.extra, name, complain)
    if (wide.size !== wide.compressed) complain(`member ${name}: expected one size, found ${wide.size} bytes stored as ${wide.compressed}`)
    members.set(name, { name, header: wide.header, size: wide.size, limit: 0 })
    at = next
  }
  if (at !== view.byteLength) complain(`expected ${at} bytes of zip directory for ${count} members, found ${view.byteLength}`)
  return members
}

const nameAt = (view: DataView<ArrayBuffer>, at: number, length: number, complain: Complain): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(view.buffer, at, length))
  } catch {
    return complain(`expected names of zip members in UTF-8, found others`)
  }
}

/** Sizes and place of a member: from the zip64 extra field where the 32-bit ones say so. */
const zip64Values = (view: DataView, at: number, extra: number, extraBytes: number, name: string, complain: Complain): { size: number; compressed: number; header: number } => {
  const narrow = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)]
  const needed = narrow.filter((value) => value === elsewhere).length
  const wide: number[] = []
  for (let field = extra; needed > 0 && field + 4 <= extra + extraBytes; ) {
    const [id, length] = [view.getUint16(field, true), view.getUint16(field + 2, true)]
    if (field + 4 + length > extra + extraBytes) break
    if (id === 1 && length >= 8 * needed) for (let i = 0; i < needed; i++) wide.push(numberAt(view, field + 4 + 8 * i, complain))
    field += 4 + length
  }
  if (wide.length !== needed) complain(`member ${name}: expected a zip64 field of ${needed} values, found ${wide.length}`)
  const [size, compressed, header] = narrow.map((value) => (value === elsewhere ? wide.shift()! : value))
  return { size: size!, compressed: compressed!, header: header! }
}

const locate = async (source: ByteSource, { name, header, size, limit }: Member, complain: Complain): Promise<{ offset: number; size: number }> => {
  const own = await viewAt(source, header, 30)
  if (own.getUint32(0, true) !== signatures.local) complain(`member ${name}: expected its header at byte ${header}, found none`)
  if (own.getUint16(8, true) !== 0) complain(`member ${name}: expected bytes as they are, found them compressed`)
  const offset = header + 30 + own.getUint16(26, true) + own.getUint16(28, true)
  if (offset + size > limit) complain(`member ${name}: expected its ${size} bytes to end before byte ${limit}, found their end at ${offset + size}`)
  return { offset, size }
}
