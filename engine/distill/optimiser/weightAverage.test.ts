import { expect, it } from 'vitest'
import { followWeights } from './weightAverage.ts'

it('is the sum of all weights so far, each with the share that later ones left of it', () => {
  const [decay, updates] = [0.9, 200]
  const weights = Array.from({ length: updates + 1 }, (_, t) => Math.sin(t))
  const average = Float32Array.of(weights[0]!)
  for (let t = 1; t <= updates; t++) followWeights(average, Float32Array.of(weights[t]!), decay, t)
  const decays = weights.map((_, t) => (t === 0 ? 0 : Math.min(decay, (1 + t) / (10 + t))))
  const expected = weights.reduce((total, weight, t) => total + weight * (1 - decays[t]!) * decays.slice(t + 1).reduce((product, d) => product * d, 1), 0)
  expect(average[0]).toBeCloseTo(expected, 5)
  expect(decays[2]).toBe(0.25)
  expect(decays[81]).toBe(decay)
})
