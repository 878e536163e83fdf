import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { RuntimeError } from '../../errors.ts'
import { outputDistillation } from './outputDistillation.ts'
import { derivative, steppable } from './testing/finiteDifference.ts'

interface Case {
  name: string
  teacherLogits: FixtureTensor
  studentLogits: FixtureTensor
  frameWeights: FixtureTensor
  temperature: number
  loss: number
  gradient: FixtureTensor<Float64Array<ArrayBuffer>>
}

describe('output distillation', () => {
  for (const stored of readFixture<Case>('output_distillation')) {
    it(`is PyTorch's: ${stored.name}`, () => {
      const { teacherLogits, studentLogits, frameWeights, temperature, loss, gradient } = stored
      const [batch, frames, vocabularySize] = teacherLogits.shape as [number, number, number]
      const found = new Float32Array(gradient.data.length)
      const sizes = { batch, frames, vocabularySize, temperature }
      const total = outputDistillation({
        ...sizes, teacherLogits: teacherLogits.data, studentLogits: studentLogits.data, frameWeights: frameWeights.data, gradient: found,
      })
      // A small divergence is what is left of probabilities that nearly cancel: float64 keeps 1e-16 of those.
      expect(Math.abs(total - loss), `${loss} and ${total}`).toBeLessThanOrEqual(1e-12 * loss + 1e-15)
      gradient.data.forEach((expected, i) => {
        const tolerance = 1e-7 * Math.abs(expected) + 1e-16
        expect(Math.abs(found[i]! - expected), `gradient ${i}: ${expected} and ${found[i]}`).toBeLessThanOrEqual(tolerance)
      })
    })
  }

  const logits = (step: number): Float32Array => Float32Array.from({ length: 24 }, (_, i) => steppable(3 * Math.sin(i * i + step)))
  const sizes = { batch: 2, frames: 3, vocabularySize: 4 }

  it('has the gradient of finite differences, at temperature 2 unless told otherwise', () => {
    const studentLogits = logits(1)
    const input = { ...sizes, teacherLogits: logits(2), studentLogits, frameWeights: Float32Array.of(0.5, 0.25, 0, 0.125, 0, 1) }
    const gradient = new Float32Array(24)
    outputDistillation({ ...input, gradient })
    const total = (): number => outputDistillation({ ...input, temperature: 2, gradient: new Float32Array(24) })
    studentLogits.forEach((_, i) => {
      expect(Math.abs(gradient[i]! - derivative(total, studentLogits, i)), `gradient ${i}`).toBeLessThan(1e-7)
    })
  })

  it('adds to the gradient, and does not look at frames of weight 0', () => {
    const input = { batch: 1, frames: 2, vocabularySize: 2, temperature: 2, frameWeights: Float32Array.of(0.5, 0) }
    const gradient = Float32Array.of(1, 2, 3, 4)
    // Teacher (3/4, 1/4), student (1/2, 1/2): KL = 3/4 log 3/2 + 1/4 log 1/2.
    const teacherLogits = Float32Array.of(2 * Math.log(3), 0, NaN, Infinity)
    const studentLogits = Float32Array.of(7, 7, NaN, NaN)
    const total = outputDistillation({ ...input, teacherLogits, studentLogits, gradient })
    expect(total).toBeCloseTo(0.5 * (0.75 * Math.log(1.5) + 0.25 * Math.log(0.5)), 7)
    const change = 0.25 * (0.5 - 0.75)
    ;[1 + change, 2 - change, 3, 4].forEach((expected, i) => expect(gradient[i]).toBeCloseTo(expected, 6))
  })

  it('counts a label that the teacher rules out as nothing', () => {
    const input = { batch: 1, frames: 1, vocabularySize: 3, temperature: 1, frameWeights: Float32Array.of(1) }
    const gradient = new Float32Array(3)
    const teacherLogits = Float32Array.of(0, 0, -Infinity)
    const total = outputDistillation({ ...input, teacherLogits, studentLogits: new Float32Array(3), gradient })
    expect(total).toBeCloseTo(Math.log(1.5), 14)
    ;[1 / 3 - 1 / 2, 1 / 3 - 1 / 2, 1 / 3].forEach((expected, i) => expect(gradient[i]).toBeCloseTo(expected, 7))
  })

  it('refuses sizes and temperatures that do not fit', () => {
    const buffers = { frameWeights: new Float32Array(6), gradient: new Float32Array(24) }
    const input = { ...sizes, ...buffers, teacherLogits: logits(1), studentLogits: logits(2) }
    expect(() => outputDistillation({ ...input, vocabularySize: 5 })).toThrow(RuntimeError)
    expect(() => outputDistillation({ ...input, frameWeights: new Float32Array(5) })).toThrow('6 frame weights, found 24, 24, 24, 5')
    expect(() => outputDistillation({ ...input, temperature: 0 })).toThrow('a temperature above 0, found 0')
  })
})
