import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromFloat16, toFloat16 } from './float16.ts'

const toBits = (...values: number[]): number[] => [...toFloat16(Float32Array.from(values))]

describe('toFloat16', () => {
  it('gives every binary16 number back', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromFloat16(bits)
      if (Number.isNaN(value)) expect(toBits(value)[0]! & 0x7fff).toBe(0x7e00)
      else expect(toBits(bits === 0x8000 ? -0 : value)).toEqual([bits])
    }
  })

  it('rounds to the nearest, and half-way to the even one', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [fromFloat16(bits), fromFloat16(bits + 1)]
      const middle = (low + high) / 2
      expect(toBits(middle), String(middle)).toEqual([bits % 2 === 0 ? bits : bits + 1])
    }
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const bits = toBits(value)[0]!
        const error = Math.abs(fromFloat16(bits) - value)
        for (const neighbour of [bits - 1, bits + 1]) {
          if (neighbour >= 0 && (neighbour & 0x7fff) < 0x7c00) expect(error).toBeLessThanOrEqual(Math.abs(fromFloat16(neighbour) - value))
        }
      }),
    )
  })

  it('turns what is too large infinite, and what is too small zero', () => {
    // 65520 lies half-way between the largest number and the next power of two.
    expect(toBits(65519, 65520, -1e30, Infinity, 2 ** -25, 2 ** -25 * 1.001, -(2 ** -26), 1e-45)).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7c00, 0, 1, 0x8000, 0])
  })
})
