import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { UsageError } from '../../errors.ts'
import { learningRate, type Decay, type Schedule } from './schedule.ts'

interface ScheduleCase {
  name: string
  schedule: Schedule
  learningRates: FixtureTensor<Float64Array<ArrayBuffer>>
}

/** Up over 5,000 updates, down over 75,000. */
const authors: Schedule = { peak: 3e-4, warmupUpdates: 5000, decay: { kind: 'exponential', updates: 75_000, floor: 1.5e-6 } }

const schedules = fc
  .record({
    peak: fc.double({ min: 1e-6, max: 1, noNaN: true }),
    warmupUpdates: fc.integer({ min: 0, max: 30 }),
    plateauUpdates: fc.integer({ min: 0, max: 30 }),
    kind: fc.constantFrom('none' as const, 'linear' as const, 'cosine' as const, 'exponential' as const),
    updates: fc.integer({ min: 0, max: 60 }),
    share: fc.double({ min: 1e-4, max: 1, noNaN: true }),
  })
  .map(({ peak, warmupUpdates, plateauUpdates, kind, updates, share }): Schedule & { plateauUpdates: number } => {
    const decay: Decay = kind === 'none' ? { kind } : { kind, updates, floor: peak * share }
    return { peak, warmupUpdates, plateauUpdates, decay }
  })

/** How far the shape of a decay falls at most in one of its updates, times their number: continuity, as far as steps can have it. */
const steepest = (peak: number, decay: Decay): number => {
  if (decay.kind === 'none') return 0
  if (decay.kind === 'exponential') return peak * Math.log(peak / decay.floor)
  return (peak - decay.floor) * (decay.kind === 'cosine' ? Math.PI / 2 : 1)
}

describe('learning rate', () => {
  it("follows the authors' recipe", () => {
    const middle = Math.sqrt(3e-4 * 1.5e-6)
    const rates = { 0: 0, 1: 6e-8, 2500: 1.5e-4, 4999: 2.9994e-4, 5000: 3e-4, 42_500: middle, 80_000: 1.5e-6, 90_000: 1.5e-6 }
    for (const [update, expected] of Object.entries(rates)) {
      expect(Math.abs(learningRate(authors, Number(update)) - expected), `update ${update}`).toBeLessThanOrEqual(1e-15 * 3e-4)
    }
  })

  it('holds the peak for the plateau and decays in each way', () => {
    const at = (kind: 'linear' | 'cosine' | 'exponential') => (update: number): number =>
      learningRate({ peak: 1, warmupUpdates: 2, plateauUpdates: 3, decay: { kind, updates: 4, floor: 0.0625 } }, update)
    const half = Math.SQRT1_2
    const shapes = {
      linear: [0.765625, 0.53125, 0.296875],
      exponential: [0.5, 0.25, 0.125],
      cosine: [(1 + half) / 2, 0.5, (1 - half) / 2].map((x) => 0.0625 + 0.9375 * x),
    }
    for (const kind of ['linear', 'cosine', 'exponential'] as const) {
      const expected = [0, 0.5, 1, 1, 1, 1, ...shapes[kind], 0.0625, 0.0625]
      expected.forEach((rate, update) => expect(at(kind)(update), `${kind}, update ${update}`).toBeCloseTo(rate, 14))
    }
    expect(learningRate({ peak: 0.5, warmupUpdates: 0, decay: { kind: 'none' } }, 0)).toBe(0.5)
    expect(learningRate({ peak: 0.5, warmupUpdates: 0, decay: { kind: 'none' } }, 1e9)).toBe(0.5)
  })

  for (const { name, schedule, learningRates } of readFixture<ScheduleCase>('adamw').filter((stored) => 'learningRates' in stored)) {
    it(`is that of torch's schedulers: ${name}`, () => {
      learningRates.data.forEach((expected, update) => {
        expect(Math.abs(learningRate(schedule, update) - expected), `update ${update}`).toBeLessThanOrEqual(1e-12 * schedule.peak)
      })
    })
  }

  it('rises to the peak, never rises after it, and ends at the floor', () => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        const { peak, warmupUpdates, plateauUpdates, decay } = schedule
        const [updates, floor] = decay.kind === 'none' ? [0, peak] : [decay.updates, decay.floor]
        const end = warmupUpdates + plateauUpdates + updates
        const rates = Array.from({ length: end + 4 }, (_, update) => learningRate(schedule, update))
        const slack = 1e-12 * peak
        rates.forEach((rate, update) => {
          if (update < warmupUpdates) expect(rate).toBeLessThan(rates[update + 1]!)
          else if (update > warmupUpdates) expect(rate).toBeLessThanOrEqual(rates[update - 1]! + slack)
          if (update >= warmupUpdates && update < end) expect(rate).toBeGreaterThanOrEqual(floor - slack)
          if (update > warmupUpdates && updates > 0) {
            expect(rates[update - 1]! - rate).toBeLessThanOrEqual(steepest(peak, decay) / updates + slack)
          }
        })
        expect(rates[end + 1]).toBe(floor)
        expect(Math.max(...rates)).toBe(peak)
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('refuses a schedule that makes no sense', () => {
    const broken: [Partial<Schedule>, string][] = [
      [{ peak: 0 }, 'a peak above 0, found 0'],
      [{ warmupUpdates: 1.5 }, 'a whole number of warm-up updates, found 1.5'],
      [{ plateauUpdates: -1 }, 'a whole number of plateau updates, found -1'],
      [{ decay: { kind: 'linear', updates: NaN, floor: 0 } }, 'a whole number of decay updates, found NaN'],
      [{ decay: { kind: 'cosine', updates: 5, floor: 1 } }, 'a floor from 0 to the peak 0.0003, found 1'],
      [{ decay: { kind: 'exponential', updates: 5, floor: 0 } }, 'a floor above 0 for an exponential decay, found 0'],
    ]
    for (const [change, message] of broken) {
      expect(() => learningRate({ ...authors, ...change }, 0)).toThrow(UsageError)
      expect(() => learningRate({ ...authors, ...change }, 0)).toThrow(message)
    }
  })
})
