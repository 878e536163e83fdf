import { CheckpointError } from '../../errors.ts'
import type { ByteSource } from '../bytes.ts'

/** Bytes in memory that are read as a file would be. */
export const memorySource = (bytes: Uint8Array, path = 'memory'): ByteSource => ({
  path,
  size: bytes.length,
  read: (target, offset) => {
    if (!(offset >= 0 && offset + target.length <= bytes.length)) return Promise.reject(new CheckpointError(`${path}: expected ${target.length} bytes at ${offset}, found the end of the file`))
    target.set(bytes.subarray(offset, offset + target.length))
    return Promise.resolve()
  },
  close: () => Promise.resolve(),
})

export const concatenated = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0))
  parts.reduce((at, part) => {
    whole.set(part, at)
    return at + part.length
  }, 0)
  return whole
}

export const ascii = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** A little-endian number of 1, 2, 4 or 8 bytes. */
export const little = (value: number | bigint, length: 1 | 2 | 4 | 8): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true)
  return bytes.slice(0, length)
}
