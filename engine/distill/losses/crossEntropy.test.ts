import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RuntimeError } from '../../errors.ts'
import { classificationObjective } from '../objectives/index.ts'
import { crossEntropy } from './crossEntropy.ts'

const logits = fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 2, maxLength: 9 }).map((values) => Float32Array.from(values))

describe('crossEntropy', () => {
  it('is −log of the label’s share, and its gradient that of finite differences', () => {
    fc.assert(
      fc.property(logits, fc.nat(), fc.double({ min: 0.1, max: 3, noNaN: true }), (values, pick, scale) => {
        const label = pick % values.length
        const direct = (of: Float64Array): number => scale * -Math.log(Math.exp(of[label]!) / of.reduce((sum, value) => sum + Math.exp(value), 0))
        const gradient = new Float32Array(values.length).fill(1)
        const exact = Float64Array.from(values)
        const loss = crossEntropy(values, label, scale, gradient)
        expect(Math.abs(loss - direct(exact))).toBeLessThan(1e-5 * (1 + Math.abs(loss)))
        exact.forEach((value, i) => {
          const at = (x: number): number => direct(Float64Array.from(exact, (own, j) => (i === j ? x : own)))
          // What stood in the gradient stays.
          expect(gradient[i]! - 1).toBeCloseTo((at(value + 1e-4) - at(value - 1e-4)) / 2e-4, 4)
        })
      }),
    )
  })

  it('refuses a label that is none', () => {
    expect(() => crossEntropy(new Float32Array(3), 3, 1, new Float32Array(3))).toThrow(RuntimeError)
  })
})

describe('classificationObjective', () => {
  it('is a mean over utterances and label sets, each set a distribution of its own', () => {
    const objective = classificationObjective([2, 3])
    const batch = { batch: 2, frames: 4, lengths: Int32Array.of(4, 1), targets: [Int32Array.of(0, 2), Int32Array.of(1, 1)] }
    expect([objective.targets(batch), objective.outputs(batch), objective.counted(batch)]).toEqual([4, 4, [true, true]])
    // Equal logits in each set: log 2 and log 3 each.
    const gradient = new Float32Array(10)
    expect(objective.loss(batch, new Float32Array(10).fill(5), 1 / 4, gradient)).toBeCloseTo((Math.log(2) + Math.log(3)) / 2, 6)
    const [half, third] = [1 / 8, 1 / 12]
    const expected = [-half, half, third, third, -2 * third, half, -half, third, -2 * third, third]
    gradient.forEach((value, i) => { expect(value).toBeCloseTo(expected[i]!, 6); })
  })
})
