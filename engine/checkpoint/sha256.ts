import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { MissingFileError, reasonOf } from '../errors.ts'

/** SHA-256 in hexadecimal of the bytes of the views, one after the other. */
export const sha256Of = (...views: readonly ArrayBufferView[]): string => {
  const hash = createHash('sha256')
  for (const view of views) hash.update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  return hash.digest('hex')
}

export const sha256OfFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  await addFile(hash, path)
  return hash.digest('hex')
}

/** Adds a file's bytes to a hash. */
export const addFile = async (hash: Hash, path: string): Promise<void> => {
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
  } catch (error) {
    throw new MissingFileError(`${path}: expected a readable file, found ${reasonOf(error)}`)
  }
}
