import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clipScale, firstNonFinite, gradientNorm, largestGradient } from './clip.ts'

describe('gradient norm and clipping', () => {
  it('takes the norm over all gradients, whatever their lengths', () => {
    expect(gradientNorm([])).toBe(0)
    expect(gradientNorm([Float32Array.of(3), new Float32Array(0), Float32Array.of(0, 4)])).toBe(5)
    expect(gradientNorm([Float32Array.of(1, 2, 4, 8, 16, 32, 64), Float32Array.of(-128)])).toBe(Math.sqrt((4 ** 8 - 1) / 3))
  })

  it('adds up many elements in float64, and overflows at no float32', () => {
    expect(gradientNorm([new Float32Array(1_000_003).fill(0.1)]) / (Math.fround(0.1) * Math.sqrt(1_000_003))).toBeCloseTo(1, 10)
    expect(gradientNorm([Float32Array.of(3e38, 3e38)]) / (Math.fround(3e38) * Math.SQRT2)).toBeCloseTo(1, 14)
    expect(gradientNorm([Float32Array.of(1, NaN)])).toBeNaN()
    expect(gradientNorm([Float32Array.of(1, -Infinity)])).toBe(Infinity)
  })

  it('scales down to the limit and never up', () => {
    expect(clipScale(0.5, 1)).toBe(1)
    expect(clipScale(0, 1)).toBe(1)
    expect(clipScale(4, 1)).toBe(1 / (4 + 1e-6))
    // As torch's: just below the limit the 1e-6 already counts.
    expect(clipScale(1, 1)).toBe(1 / (1 + 1e-6))
  })
})

describe('diagnosis of gradients', () => {
  it('names the first of equals', () => {
    const gradients = [Float32Array.of(1), Float32Array.of(2, -3, 3), Float32Array.of(-3)]
    expect(largestGradient(gradients)).toEqual({ gradient: 1, index: 1, value: -3 })
  })

  it('finds the largest and the first that is not finite', () => {
    const finiteFloat = fc.float({ noDefaultInfinity: true, noNaN: true })
    const element = fc.oneof({ weight: 6, arbitrary: finiteFloat }, fc.constantFrom(NaN, Infinity, -Infinity))
    fc.assert(
      fc.property(fc.array(fc.array(element, { maxLength: 6 }), { maxLength: 4 }), (values) => {
        const gradients = values.map((row) => Float32Array.from(row))
        const all = values.flatMap((row, gradient) => row.map((value, index) => ({ gradient, index, value })))
        expect(firstNonFinite(gradients)).toEqual(all.find(({ value }) => !Number.isFinite(value)))
        const finite = all.filter(({ value }) => Number.isFinite(value))
        // A stable sort leaves the first of equals in front.
        expect(largestGradient(gradients)).toEqual(finite.sort((a, b) => Math.abs(b.value) - Math.abs(a.value))[0])
      }),
      { numRuns: 300, seed: 1 },
    )
  })
})
