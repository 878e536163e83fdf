import type { BigIntStats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { CheckpointError, MissingFileError, reasonOf } from '../errors.ts'

/** Bytes of known length that can be read at any place: a file, or memory in tests. */
export interface ByteSource {
  readonly path: string
  readonly size: number
  /** Of a file, which one it is, and when it was last written: `stampOf` says another of another. */
  readonly stamp?: string
  /** Fills `target` with the bytes from `offset` on; CheckpointError when they end before. */
  read(target: Uint8Array, offset: number): Promise<void>
  close(): Promise<void>
}

/** Node reads at most 2³¹ − 1 bytes at once. */
const longestRead = 2 ** 30

/** Opens a file for reading. MissingFileError for what is not a regular file: opening a pipe would wait for a writer for ever. */
export const openBytes = async (path: string): Promise<ByteSource> => {
  const complain = (found: string): never => {
    throw new MissingFileError(`${path}: expected a weights file, found ${found}`)
  }
  const kind = await stat(path).catch((error: unknown) => complain(reasonOf(error)))
  if (!kind.isFile()) complain(kind.isDirectory() ? 'a folder' : 'something that is not a regular file')
  const handle = await open(path).catch((error: unknown) => complain(reasonOf(error)))
  const found = await handle.stat({ bigint: true })
  return { path, size: Number(found.size), stamp: written(found), read: (target, offset) => readFully(handle, path, target, offset), close: () => handle.close() }
}

const written = ({ dev, ino, size, mtimeNs }: BigIntStats): string => [dev, ino, size, mtimeNs].join(' ')

/** What stands at a path now. */
export const stampOf = async (path: string): Promise<string> => {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  return found === undefined ? 'nothing' : written(found)
}

const readFully = async (handle: FileHandle, path: string, target: Uint8Array, offset: number): Promise<void> => {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, Math.min(target.length - done, longestRead), offset + done)
    if (bytesRead === 0) throw new CheckpointError(`${path}: expected ${target.length} bytes at ${offset}, found the end of the file after ${done}`)
    done += bytesRead
  }
}
