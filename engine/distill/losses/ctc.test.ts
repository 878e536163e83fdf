import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { RuntimeError, VocabularyError } from '../../errors.ts'
import { ctcFeasible, ctcLoss, type CtcInput } from './ctc.ts'
import { derivative, steppable } from './testing/finiteDifference.ts'

type Float64Tensor = FixtureTensor<Float64Array<ArrayBuffer>>

interface Case {
  name: string
  logits: FixtureTensor
  frameLengths: number[]
  targets: number[][]
  blank: number
  losses: Float64Tensor
  gradient: Float64Tensor
}

/** sizes: frames and vocabulary. */
const inputOf = (logits: Float32Array, sizes: [number, number], lengths: number[], targets: number[][], blank: number): CtcInput => ({
  logits,
  batch: targets.length,
  frames: sizes[0],
  vocabularySize: sizes[1],
  frameLengths: Int32Array.from(lengths),
  targets: targets.map((target) => Int32Array.from(target)),
  blank,
  scale: 1,
  gradient: new Float32Array(logits.length),
})

describe('CTC against PyTorch', () => {
  for (const { name, logits, frameLengths, targets, blank, losses, gradient } of readFixture<Case>('ctc')) {
    it(name, () => {
      const [, frames, vocabularySize] = logits.shape as [number, number, number]
      const input = inputOf(logits.data, [frames, vocabularySize], frameLengths, targets, blank)
      const found = ctcLoss(input).losses
      losses.data.forEach((loss, b) => {
        expect(ctcFeasible(frameLengths[b]!, targets[b]!), `utterance ${b} is feasible`).toBe(loss < Infinity)
        if (loss === Infinity) expect(found[b]).toBe(Infinity)
        else expect(Math.abs(found[b]! - loss), `loss ${b}: ${loss} and ${found[b]}`).toBeLessThanOrEqual(1e-12 * Math.max(1, loss))
      })
      gradient.data.forEach((expected, i) => {
        // Float32 keeps 6e-8 of a number; where softmax and occupancy cancel, float64 leaves about 1e-13.
        const tolerance = 1e-7 * Math.abs(expected) + 1e-11
        const found = input.gradient[i]!
        expect(Math.abs(found - expected), `gradient ${i}: ${expected} and ${found}`).toBeLessThanOrEqual(tolerance)
      })
    })
  }
})

/** Small problems, many of them without an alignment. */
const problems = fc
  .record({ frames: fc.integer({ min: 0, max: 5 }), vocabularySize: fc.integer({ min: 2, max: 3 }) })
  .chain(({ frames, vocabularySize }) => {
    const size = frames * vocabularySize
    return fc.record({
      frames: fc.constant(frames),
      vocabularySize: fc.constant(vocabularySize),
      blank: fc.integer({ min: 0, max: vocabularySize - 1 }),
      drawn: fc.array(fc.integer({ min: 1, max: vocabularySize - 1 }), { maxLength: 4 }),
      logits: fc.array(fc.integer({ min: -6 * 128, max: 6 * 128 }), { minLength: size, maxLength: size }),
    })
  })
  .map(({ drawn, logits, blank, vocabularySize, frames }) => {
    const target = drawn.map((offset) => (blank + offset) % vocabularySize)
    return { target, input: inputOf(Float32Array.from(logits, (x) => x / 128), [frames, vocabularySize], [frames], [target], blank) }
  })

/** Loss and gradient by their definition: the sum over all vocabularySize ^ frames paths that collapse to the target. */
function enumerate({ logits, frames, vocabularySize, blank }: CtcInput, target: number[]): { loss: number; gradient: number[] } {
  const softmax = Array.from(logits, (logit, i) => {
    const row = i - (i % vocabularySize)
    return Math.exp(logit) / logits.slice(row, row + vocabularySize).reduce((sum, x) => sum + Math.exp(x), 0)
  })
  let total = 0
  const occupancy = softmax.map(() => 0)
  for (let code = 0; code < vocabularySize ** frames; code++) {
    const path = Array.from({ length: frames }, (_, t) => Math.floor(code / vocabularySize ** t) % vocabularySize)
    const collapsed = path.filter((label, t) => label !== blank && label !== path[t - 1])
    if (collapsed.join() !== target.join()) continue
    const probability = path.reduce((product, label, t) => product * softmax[t * vocabularySize + label]!, 1)
    total += probability
    path.forEach((label, t) => (occupancy[t * vocabularySize + label]! += probability))
  }
  return { loss: -Math.log(total), gradient: softmax.map((p, i) => (total === 0 ? 0 : p - occupancy[i]! / total)) }
}

describe('CTC by its definition', () => {
  it('is the sum over all alignments, and finite exactly where one exists', () => {
    fc.assert(
      fc.property(problems, ({ input, target }) => {
        const { losses } = ctcLoss(input)
        const expected = enumerate(input, target)
        expect(Number.isFinite(losses[0])).toBe(ctcFeasible(input.frames, target))
        if (expected.loss === Infinity) expect(losses[0]).toBe(Infinity)
        else expect(Math.abs(losses[0]! - expected.loss)).toBeLessThan(1e-12)
        expected.gradient.forEach((g, i) => expect(Math.abs(input.gradient[i]! - g)).toBeLessThan(1e-7))
      }),
      { numRuns: 500, seed: 1 },
    )
  })

  it('has the gradient of finite differences', () => {
    const frames = 14
    const logits = Float32Array.from({ length: 3 * frames * 5 }, (_, i) => steppable(3 * Math.sin(i * i + 1)))
    const input = inputOf(logits, [frames, 5], [14, 9, 3], [[1, 1, 3, 4], [2, 4, 4, 1], [1, 1, 1]], 0)
    const total = (): number => ctcLoss({ ...input, gradient: new Float32Array(logits.length) }).losses.slice(0, 2).reduce((a, b) => a + b)
    expect(ctcLoss(input).losses[2]).toBe(Infinity)
    logits.forEach((_, i) => {
      expect(Math.abs(input.gradient[i]! - derivative(total, logits, i)), `gradient ${i}`).toBeLessThan(1e-7)
    })
  })

  it('scales the gradient and adds it to what is there', () => {
    const logits = Float32Array.of(0, Math.log(3), 0, Math.log(3))
    const input = { ...inputOf(logits, [2, 2], [2], [[1]], 0), scale: 0.5, gradient: Float32Array.of(1, 2, 3, 4) }
    // Softmax is (1/4, 3/4) in both frames; paths 11, 10 and 01 have 9/16, 3/16, 3/16 of them: 15/16.
    expect(ctcLoss(input).losses[0]).toBeCloseTo(-Math.log(15 / 16), 7)
    const change = 0.5 * (1 / 4 - 3 / 15)
    ;[1 + change, 2 - change, 3 + change, 4 - change].forEach((expected, i) => expect(input.gradient[i]).toBeCloseTo(expected, 6))
  })

  it('reports NaN for an utterance with one and leaves its gradient alone', () => {
    const input = inputOf(Float32Array.of(0, 1, NaN, 1, 0, 1, 2, 1), [2, 2], [2, 2], [[1], [1]], 0)
    const { losses } = ctcLoss(input)
    expect(losses[0]).toBeNaN()
    expect(losses[1]).toBeGreaterThan(0)
    expect([...input.gradient.subarray(0, 4)]).toEqual([0, 0, 0, 0])
    expect(Math.abs(input.gradient[4]!)).toBeGreaterThan(0.01)
  })
})

describe('CTC input', () => {
  const logits = new Float32Array(12)
  it.each([
    ['a label outside the vocabulary', inputOf(logits, [4, 3], [4], [[1, 3]], 0), VocabularyError,
      'utterance 0: expected labels from 0 to 2 other than the blank 0, found 3'],
    ['the blank as a label', inputOf(logits, [4, 3], [4], [[2]], 2), VocabularyError, 'other than the blank 2, found 2'],
    ['a blank outside the vocabulary', inputOf(logits, [4, 3], [4], [[1]], 3), VocabularyError, 'a blank from 0 to 2, found 3'],
    ['more frames than the batch has', inputOf(logits, [4, 3], [5], [[1]], 0), RuntimeError, '0 to 4 frames, found 5'],
    ['logits of another size', inputOf(logits, [5, 3], [4], [[1]], 0), RuntimeError, 'expected 15 logits'],
  ])('refuses %s', (_, input, error, message) => {
    expect(() => ctcLoss(input)).toThrow(error)
    expect(() => ctcLoss(input)).toThrow(message)
  })
})
