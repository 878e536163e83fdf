import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fillKeepMask, type KeyPart } from './random.ts'

describe('dropout masks', () => {
  // A run that is resumed, or compared with another, must draw the masks that every version before drew.
  it.each<[number, number, KeyPart[], string, number]>([
    [1003, 0.1, ['a', 1, 2], 'b4ac94368c1743dd', 899],
    [16, 0, ['b'], 'cc8cd41cef907c4d', 16],
    [16, 1, ['b'], '374708fff7719dd5', 0],
    [100_001, 0.5, ['layers.3', 7], 'bec41728b6fd1195', 50_132],
    [4096, 1e-5, ['x'], '3431383721510cf1', 4096],
  ])('keep their bits: %i elements dropped with probability %f', (length, probability, key, hash, kept) => {
    const mask = new Uint8Array(length)
    fillKeepMask(mask, probability, 3, ...key)
    expect(mask.reduce((total, value) => total + value, 0)).toBe(kept)
    expect(createHash('sha256').update(mask).digest('hex').slice(0, 16)).toBe(hash)
  })
})
