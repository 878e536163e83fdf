import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pairedBootstrap, type PairedErrors } from './index.ts'

/** Every resample of a few utterances, each once. */
const allResamples = (utterances: readonly PairedErrors[]): number[] => {
  const n = utterances.length
  return Array.from({ length: n ** n }, (_, code) => {
    const drawn = Array.from({ length: n }, (_, i) => utterances[Math.floor(code / n ** i) % n]!)
    const sum = (of: (one: PairedErrors) => number): number => drawn.reduce((total, one) => total + of(one), 0)
    return (sum(({ b }) => b) - sum(({ a }) => a)) / sum(({ reference }) => reference)
  }).sort((x, y) => x - y)
}

describe('pairedBootstrap', () => {
  it('approaches the distribution over all resamples', () => {
    const utterances = [
      { a: 0, b: 1, reference: 4 },
      { a: 3, b: 1, reference: 6 },
      { a: 2, b: 2, reference: 5 },
      { a: 4, b: 1, reference: 7 },
      { a: 0, b: 0, reference: 3 },
    ]
    const all = allResamples(utterances)
    const found = pairedBootstrap(utterances, { resamples: 40_000 })
    expect(found.difference).toBeCloseTo((5 - 9) / 25, 12)
    expect(found.low).toBeCloseTo(all[Math.floor(0.025 * all.length)]!, 2)
    expect(found.high).toBeCloseTo(all[Math.floor(0.975 * all.length)]!, 2)
    const better = all.filter((value) => value < 0).length + 0.5 * all.filter((value) => value === 0).length
    expect(found.probabilityOfImprovement).toBeCloseTo(better / all.length, 2)
  })

  it('turns round when the models change places, and finds nothing between equal ones', () => {
    const errors = fc.record({ a: fc.integer({ min: 0, max: 9 }), b: fc.integer({ min: 0, max: 9 }), reference: fc.integer({ min: 1, max: 12 }) })
    fc.assert(
      fc.property(fc.array(errors, { minLength: 1, maxLength: 30 }), (utterances) => {
        const options = { resamples: 500 }
        const forth = pairedBootstrap(utterances, options)
        const back = pairedBootstrap(utterances.map(({ a, b, reference }) => ({ a: b, b: a, reference })), options)
        expect(back.difference).toBeCloseTo(-forth.difference, 12)
        expect(back.probabilityOfImprovement).toBeCloseTo(1 - forth.probabilityOfImprovement, 12)
        expect(forth.low).toBeLessThanOrEqual(forth.high)
        const same = pairedBootstrap(utterances.map(({ a, reference }) => ({ a, b: a, reference })), options)
        expect(same).toMatchObject({ difference: 0, low: 0, high: 0, probabilityOfImprovement: 0.5 })
      }),
      { numRuns: 50 },
    )
  })
})
