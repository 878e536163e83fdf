import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { UsageError } from '../errors.ts'
import { maskFeatureSpans, maskTimeSpans, type TimeSpansInput } from './specAugment.ts'

interface Case {
  name: string
  lengths: number[]
  frames: number
  probability: number
  spanLength: number
  minMasks: number
  draws: number
  masked: FixtureTensor<Int32Array<ArrayBuffer>>
  histogram: FixtureTensor<Int32Array<ArrayBuffer>>
  covariance: FixtureTensor<Float64Array<ArrayBuffer>>
  meanShare: FixtureTensor<Float64Array<ArrayBuffer>>
}

const DRAWS = 5000

describe("SpecAugment against the statistics of HF's function", () => {
  for (const stored of readFixture<Case>('spec_augment')) {
    const { name, lengths, frames, draws, ...spans } = stored
    it(name, () => {
      const rows = lengths.length
      const masked = new Int32Array(rows * frames)
      const histogram = new Int32Array(rows * (frames + 1))
      const products = new Float64Array(rows * rows)
      const sums = new Float64Array(rows)
      for (let update = 0; update < DRAWS; update++) {
        const mask = maskTimeSpans({ ...spans, lengths: Int32Array.from(lengths), frames, seed: 5, update, microBatch: 0 })
        mask.forEach((one, i) => (masked[i]! += one))
        const counts = lengths.map((_, row) => mask.subarray(row * frames, (row + 1) * frames).reduce((a, b) => a + b, 0))
        counts.forEach((count, row) => {
          histogram[row * (frames + 1) + count]!++
          sums[row]! += count
          counts.forEach((other, column) => (products[row * rows + column]! += count * other))
        })
      }
      // Two shares p, of n and of m draws, differ by sqrt(p(1 − p)(1/n + 1/m)) as standard deviation.
      const sameShares = (found: Int32Array, expected: Int32Array, what: string): void => {
        expected.forEach((count, i) => {
          const p = (count + found[i]!) / (draws + DRAWS)
          const deviation = Math.sqrt(p * (1 - p) * (1 / draws + 1 / DRAWS))
          expect(Math.abs(count / draws - found[i]! / DRAWS), `${what} ${i}`).toBeLessThanOrEqual(5 * deviation)
        })
      }
      sameShares(masked, stored.masked.data, 'frame')
      sameShares(histogram, stored.histogram.data, 'number of masked frames')
      stored.meanShare.data.forEach((share, row) => expect(Math.abs(sums[row]! / DRAWS / lengths[row]! - share)).toBeLessThan(0.005))
      const deviation = (row: number): number => Math.sqrt(stored.covariance.data[row * rows + row]!)
      stored.covariance.data.forEach((expected, i) => {
        const [row, column] = [Math.floor(i / rows), i % rows]
        const found = products[i]! / DRAWS - (sums[row]! / DRAWS) * (sums[column]! / DRAWS)
        expect(Math.abs(found - expected), `covariance ${row}, ${column}`).toBeLessThanOrEqual(0.08 * deviation(row) * deviation(column))
      })
    })
  }
})

const inputs = fc
  .record({
    frames: fc.integer({ min: 1, max: 60 }),
    shares: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 }),
    probability: fc.double({ min: 0.01, max: 1, noNaN: true }),
    spanLength: fc.integer({ min: 1, max: 12 }),
    minMasks: fc.integer({ min: 0, max: 4 }),
    seed: fc.nat(),
    update: fc.nat(),
    microBatch: fc.nat(9),
  })
  .map(({ shares, ...rest }): TimeSpansInput => ({ ...rest, lengths: Int32Array.from(shares, (share) => Math.round(share * rest.frames)) }))

const rowsOf = (mask: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: mask.length / size }, (_, row) => mask.subarray(row * size, (row + 1) * size))

/** Lengths of the stretches of ones. */
const stretches = (row: Uint8Array): number[] => row.join('').split(/0+/).filter((ones) => ones !== '').map((ones) => ones.length)

describe('SpecAugment', () => {
  it('masks whole spans, in the number that HF places, inside the valid frames only', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { frames, lengths, probability, spanLength, minMasks } = input
        rowsOf(maskTimeSpans(input), frames).forEach((row, b) => {
          const length = lengths[b]!
          expect(row.subarray(length).every((one) => one === 0)).toBe(true)
          const fit = Math.min(Math.floor(frames / spanLength), Math.max(0, length - spanLength + 1))
          const asked = (probability * length) / spanLength
          const [fewest, most] = [asked, asked + 1].map((spans) => Math.min(fit, Math.max(minMasks, Math.floor(spans)))) as [number, number]
          const ones = row.reduce((a, b) => a + b, 0)
          expect(ones).toBeLessThanOrEqual(most * spanLength)
          // n different starts cover at least n − 1 frames beyond one span.
          expect(ones).toBeGreaterThanOrEqual(fewest === 0 ? 0 : spanLength + fewest - 1)
          for (const stretch of stretches(row)) expect(stretch).toBeGreaterThanOrEqual(spanLength)
        })
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  const spans = { probability: 0.2, spanLength: 10, minMasks: 2 }
  const many: TimeSpansInput = { ...spans, lengths: Int32Array.of(400, 300), frames: 400, seed: 1, update: 2, microBatch: 3 }

  it('draws the same mask for the same key and another one for another', () => {
    expect(maskTimeSpans(many)).toEqual(maskTimeSpans({ ...many }))
    for (const change of [{ seed: 2 }, { update: 3 }, { microBatch: 4 }]) {
      const other = maskTimeSpans({ ...many, ...change })
      expect(other).not.toEqual(maskTimeSpans(many))
      for (const row of rowsOf(other, 400)) expect(stretches(row).length).toBeGreaterThan(0)
    }
    const features = maskFeatureSpans({ ...many, batch: 2, features: 400 })
    const time = maskTimeSpans({ ...many, lengths: Int32Array.of(400, 400) })
    expect(features).not.toEqual(time)
  })

  it('draws other masks for a teacher in training mode than for its student, and the same ones again', () => {
    const key = { probability: 0.3, spanLength: 5, minMasks: 2, seed: 4, update: 7, microBatch: 1, lengths: Int32Array.of(200, 150), frames: 200 }
    expect(maskTimeSpans({ ...key, model: 'teacher' })).not.toEqual(maskTimeSpans(key))
    expect(maskTimeSpans({ ...key, model: 'teacher' })).toEqual(maskTimeSpans({ ...key, model: 'teacher' }))
  })

  it('gives utterances of a batch masks of their own', () => {
    const [first, second] = rowsOf(maskTimeSpans({ ...many, lengths: Int32Array.of(400, 400) }), 400)
    expect(first).not.toEqual(second)
    const alone = maskTimeSpans({ ...many, lengths: Int32Array.of(400) })
    expect(alone).toEqual(first)
  })

  it('masks features of whole utterances to the expected share', () => {
    let masked = 0
    const input = { batch: 3, features: 64, probability: 0.25, spanLength: 8, minMasks: 0, seed: 9, microBatch: 0 }
    for (let update = 0; update < 2000; update++) {
      const mask = maskFeatureSpans({ ...input, update })
      expect(mask.length).toBe(3 * 64)
      masked += mask.reduce((a, b) => a + b, 0)
      for (const row of rowsOf(mask, 64)) for (const stretch of stretches(row)) expect(stretch).toBeGreaterThanOrEqual(8)
    }
    // Always two spans of 8 with different starts of 57: the distance d has 2(57 − d) of 57·56 pairs and min(d, 8) frames beyond one span.
    let beyond = 0
    for (let d = 1; d < 57; d++) beyond += (2 * (57 - d) * Math.min(d, 8)) / (57 * 56)
    expect(Math.abs(masked / (2000 * 3) - (8 + beyond))).toBeLessThan(0.15)
  })

  it('masks nothing at probability 0, and nothing of an utterance shorter than a span', () => {
    expect(maskTimeSpans({ ...many, probability: 0 }).every((one) => one === 0)).toBe(true)
    const [short, empty, whole] = rowsOf(maskTimeSpans({ ...many, lengths: Int32Array.of(9, 0, 10), frames: 20 }), 20)
    expect([...short!, ...empty!].every((one) => one === 0)).toBe(true)
    expect([...whole!]).toEqual([...Array<number>(10).fill(1), ...Array<number>(10).fill(0)])
  })

  it('refuses settings that make no sense', () => {
    const broken: [Partial<TimeSpansInput>, string][] = [
      [{ probability: 1.5 }, 'SpecAugment over time: expected a probability from 0 to 1, found 1.5'],
      [{ spanLength: 0 }, 'a span length of 1 or more, found 0'],
      [{ minMasks: -1 }, 'a least number of spans of 0 or more, found -1'],
      [{ lengths: Int32Array.of(401) }, '0 to 400 valid frames, found 401'],
    ]
    for (const [change, message] of broken) {
      expect(() => maskTimeSpans({ ...many, ...change })).toThrow(UsageError)
      expect(() => maskTimeSpans({ ...many, ...change })).toThrow(message)
    }
    const wide = { ...many, batch: 1, features: 6, spanLength: 7 }
    expect(() => maskFeatureSpans(wide)).toThrow('over features: expected spans of at most 6, found 7')
  })
})
