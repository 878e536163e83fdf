import { open, stat, type FileHandle } from 'node:fs/promises'
import { CheckpointError, MissingFileError, reasonOf } from '../errors.ts'

/** Bytes of known length that can be read at any place: a file, or memory in tests. */
export interface ByteSource {
  readonly path: string
  readonly size: number
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
  const { size } = await handle.stat()
  return { path, size, read: (target, offset) => readFully(handle, path, target, offset), close: () => handle.close() }
}

const readFully = async (handle: FileHandle, path: string, target: Uint8Array, offset: number): Promise<void> => {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, Math.min(target.length - done, longestRead), offset + done)
    if (bytesRead === 0) throw new CheckpointError(`${path}: expected ${target.length} bytes at ${offset}, found the end of the file after ${done}`)
    done += bytesRead
  }
}
