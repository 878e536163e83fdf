import { randomUUID } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CaldError, messageOf, OutputError, reasonOf, WriteError } from '../errors.ts'

/** Bytes of a file, whole or in pieces. */
export type FileContents = string | Uint8Array | Iterable<Uint8Array>

const asPieces = (data: FileContents): Iterable<Uint8Array> => {
  if (typeof data === 'string') return [new TextEncoder().encode(data)]
  return data instanceof Uint8Array ? [data] : data
}

/** Unfinished work carries this mark in its name; a killed run may leave some behind, the next write to the same target clears it. */
const mark = '.unfinished-'
const aside = (path: string): string => join(dirname(path), `${basename(path)}${mark}${randomUUID()}`)

/** Publishes { step, path } at each step of a write: where a process may die is seen from outside (node:diagnostics_channel). */
const steps = channel('cald:write')
const reach = (step: string, path: string): void => { steps.publish({ step, path }); }

const clearStale = async (path: string): Promise<void> => {
  const prefix = `${basename(path)}${mark}`
  const stale = (await entriesOf(dirname(path))).filter((name) => name.startsWith(prefix))
  await Promise.all(stale.map((name) => rm(join(dirname(path), name), { recursive: true, force: true })))
}

const entriesOf = async (folder: string): Promise<string[]> => {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}

const syncFolder = async (path: string): Promise<void> => {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const failure = (path: string, error: unknown): Error => {
  if (error instanceof CaldError) return error
  // What is written may be made of files elsewhere, of which one could not be read.
  const elsewhere = error instanceof Error && 'path' in error && !String(error.path).startsWith(dirname(path))
  return new WriteError(`${path}: expected to write it, found ${elsewhere ? messageOf(error) : reasonOf(error)}; nothing was replaced`, { cause: error })
}

interface WriteOptions {
  /** Looks at the written file before it takes its place; what it throws keeps the old one there. */
  readonly check?: (temporary: string) => Promise<void>
}

/** Writes a file aside, syncs it and renames it into place: it is complete or absent. WriteError names it when that fails. */
export const writeFileAtomic = async (path: string, data: FileContents, { check }: WriteOptions = {}): Promise<void> => {
  const temporary = aside(path)
  try {
    await mkdir(dirname(path), { recursive: true })
    await clearStale(path)
    reach('begun', path)
    await writeNewFile(temporary, data)
    await check?.(temporary)
    reach('written', path)
    await rename(temporary, path)
    reach('renamed', path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw failure(path, error)
  }
}

/** Writes and syncs a file that is not there yet; for the inside of `writeFolderAtomic`, where nobody sees it before it is complete. */
export const writeNewFile = async (path: string, data: FileContents): Promise<void> => {
  const handle = await open(path, 'wx')
  try {
    for (const piece of asPieces(data)) await writeFully(handle, piece)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const writeFully = async (handle: FileHandle, piece: Uint8Array): Promise<void> => {
  for (let offset = 0; offset < piece.length; ) offset += (await handle.write(piece, offset)).bytesWritten
}

/**
 * Fills a folder aside and renames it into place. An existing folder is kept (OutputError) unless `replace`: then it moves aside
 * first, and a crash between the two renames leaves it under its `.unfinished-` name with the new one beside it.
 */
export const writeFolderAtomic = async (path: string, fill: (temporary: string) => Promise<void>, { replace = false } = {}): Promise<void> => {
  if (!replace) await requireEmptyFolder(path)
  const temporary = aside(path)
  const old = aside(path)
  try {
    await mkdir(dirname(path), { recursive: true })
    await clearStale(path)
    await mkdir(temporary)
    reach('begun', path)
    await fill(temporary)
    await syncFolder(temporary)
    reach('filled', path)
    if ((await entriesOf(path)).length > 0) await rename(path, old)
    reach('set aside', path)
    await rename(temporary, path)
    reach('renamed', path)
    await syncFolder(dirname(path))
    await rm(old, { recursive: true, force: true })
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    throw failure(path, error)
  }
}

/** OutputError unless the path is free, or an empty folder. */
export const requireEmptyFolder = async (path: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isDirectory()) throw new OutputError(`${path}: expected an empty or new folder, found a file`)
  const entries = await readdir(path)
  if (entries.length > 0) throw new OutputError(`${path}: expected an empty or new folder, found ${entries.length} entries, ${entries[0]} among them`)
}

/** A file of lines that grows: what stands in it was complete when it was written. */
export class LineLog {
  readonly #path: string
  readonly #handle: FileHandle
  #bytes: number

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path
    this.#handle = handle
    this.#bytes = bytes
  }

  /** Opens a log, cut to its first `keepBytes` bytes. */
  static async open(path: string, keepBytes: number): Promise<LineLog> {
    try {
      await mkdir(dirname(path), { recursive: true })
      const handle = await open(path, 'a+')
      await handle.truncate(keepBytes)
      return new LineLog(path, handle, keepBytes)
    } catch (error) {
      throw failure(path, error)
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  async append(line: string): Promise<void> {
    try {
      const bytes = new TextEncoder().encode(`${line}\n`)
      await writeFully(this.#handle, bytes)
      this.#bytes += bytes.length
    } catch (error) {
      await this.#handle.truncate(this.#bytes).catch(() => undefined)
      throw failure(this.#path, error)
    }
  }

  async sync(): Promise<void> {
    await this.#handle.sync()
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
