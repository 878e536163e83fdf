import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { RuntimeError } from '../../errors.ts'
import { AdamW, type AdamWSegment } from './adamw.ts'
import { clipScale, gradientNorm } from './clip.ts'
import { learningRate, type Schedule } from './schedule.ts'

type Tensor = FixtureTensor<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>

interface Run {
  gradientNorms: number[]
  learningRates: number[]
  parametersAfter: Tensor
  firstMoment: Tensor
  secondMoment: Tensor
}

interface UpdatesCase {
  schedule: Schedule
  clip: number
  segments: AdamWSegment[]
  parameters: FixtureTensor
  gradients: FixtureTensor
  float64: Run
  float32: Run
}

const updatesCase = (): UpdatesCase => readFixture<UpdatesCase>('adamw').find((stored) => 'gradients' in stored)!

describe('AdamW with clipping and schedule against PyTorch', () => {
  // Stored float32 parameters lose 6e-8 of themselves at each of the twelve updates.
  for (const [precision, tolerance] of [['float64', 5e-7], ['float32', 1e-6]] as const) {
    it(`follows its ${precision} updates`, () => {
      const { schedule, clip, segments, parameters: initial, gradients, [precision]: expected } = updatesCase()
      const parameters = initial.data.slice()
      const optimiser = new AdamW(parameters.length)
      const [updates, size] = gradients.shape as [number, number]
      let largest = 0
      for (let update = 0; update < updates; update++) {
        const gradient = gradients.data.slice(update * size, (update + 1) * size)
        const norm = gradientNorm(segments.map(({ offset, length }) => gradient.subarray(offset, offset + length)))
        expect(Math.abs(norm / expected.gradientNorms[update]! - 1)).toBeLessThan(precision === 'float64' ? 1e-14 : 3e-7)
        const rate = learningRate(schedule, update)
        expect(Math.abs(rate - expected.learningRates[update]!)).toBeLessThan(1e-15)
        optimiser.step(parameters, gradient, { learningRate: rate, update: update + 1, gradientScale: clipScale(norm, clip), segments })
        for (let i = 0; i < size; i++) {
          const difference = Math.abs(parameters[i]! - expected.parametersAfter.data[update * size + i]!)
          largest = Math.max(largest, difference)
          expect(difference, `update ${update}, parameter ${i}`).toBeLessThan(tolerance)
        }
      }
      for (const moment of ['firstMoment', 'secondMoment'] as const) {
        expected[moment].data.forEach((value, i) => {
          // A float32 moment where opposite gradients cancel is exact to what they were, not to what is left.
          const allowed = 3e-6 * Math.abs(value) + (moment === 'firstMoment' ? 5e-9 : 0)
          const found = optimiser.state[moment][i]!
          expect(Math.abs(found - value), `${moment} ${i}: ${value} and ${found}`).toBeLessThanOrEqual(allowed)
        })
      }
    })
  }

  it('leaves alone what no segment covers', () => {
    const { segments, parameters: initial, gradients } = updatesCase()
    const parameters = initial.data.slice()
    const optimiser = new AdamW(parameters.length)
    optimiser.step(parameters, gradients.data.slice(0, parameters.length), { learningRate: 0.1, update: 1, gradientScale: 1, segments })
    const covered = (i: number): boolean => segments.some(({ offset, length }) => i >= offset && i < offset + length)
    const changed = [...parameters.keys()].filter((i) => parameters[i] !== initial.data[i])
    // Parameter 3 has no gradient, but is decayed.
    expect(changed).toEqual([...parameters.keys()].filter(covered))
    expect(parameters.length - changed.length).toBe(5)
  })
})

describe('AdamW', () => {
  const whole = (length: number, weightDecay = 0): AdamWSegment[] => [{ offset: 0, length, weightDecay }]

  it('goes one learning rate against the sign of the first gradient, whatever its size', () => {
    const parameters = Float32Array.of(1, 1, 1, 1)
    const gradient = Float32Array.of(1e4, -1e-4, 0, 1e-8)
    new AdamW(4).step(parameters, gradient, { learningRate: 0.25, update: 1, gradientScale: 1, segments: whole(4) })
    // The last one's gradient equals epsilon, which halves the step.
    ;[0.75, 1.25, 1, 0.875].forEach((expected, i) => expect(Math.abs(parameters[i]! - expected)).toBeLessThan(3e-5))
  })

  it('changes no parameter at learning rate 0 but keeps the gradient in its moments', () => {
    const parameters = Float32Array.of(3)
    const optimiser = new AdamW(1)
    optimiser.step(parameters, Float32Array.of(2), { learningRate: 0, update: 1, gradientScale: 0.5, segments: whole(1, 0.1) })
    expect([...parameters]).toEqual([3])
    expect(optimiser.state.firstMoment[0]).toBeCloseTo(0.1, 7)
    expect(optimiser.state.secondMoment[0]).toBeCloseTo(0.001, 9)
  })

  it('takes its betas and epsilon', () => {
    const parameters = Float32Array.of(1)
    const optimiser = new AdamW(1, { beta1: 0.5, beta2: 0.75, epsilon: 1 })
    optimiser.step(parameters, Float32Array.of(1), { learningRate: 1, update: 1, gradientScale: 1, segments: whole(1) })
    expect(parameters[0]).toBeCloseTo(0.5, 7)
    optimiser.step(parameters, Float32Array.of(-1), { learningRate: 1, update: 2, gradientScale: 1, segments: whole(1) })
    // Moments: (0.5·0.5 − 0.5) / (1 − 0.25) = −1/3 and (0.75·0.25 + 0.25) / (1 − 0.5625) = 1, so the step is −1/6.
    expect(parameters[0]).toBeCloseTo(0.5 + 1 / 6, 7)
  })

  it('refuses lengths, counts and segments that do not fit', () => {
    const optimiser = new AdamW(4)
    const step = (length: number, update: number, segments: AdamWSegment[]) => () =>
      optimiser.step(new Float32Array(length), new Float32Array(4), { learningRate: 0.1, update, gradientScale: 1, segments })
    expect(step(5, 1, whole(4))).toThrow(RuntimeError)
    expect(step(4, 0, whole(4))).toThrow('counted from 1, found 0')
    expect(step(4, 1, whole(5))).toThrow('within 0 to 4, found 0 to 5')
    expect(step(4, 1, [...whole(3), { offset: 2, length: 1, weightDecay: 0 }])).toThrow('within 3 to 4, found 2 to 3')
  })
})
