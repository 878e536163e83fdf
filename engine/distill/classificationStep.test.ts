import { afterAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { headOf, labelSetsOf, viewOf } from '../models/index.ts'
import { openDevice } from '../runtime/index.ts'
import { GradientSum } from './gradientSum.ts'
import { accumulateGradient, normalisersOf, type LossParts, type TrainingBatch } from './objective.ts'
import { classificationObjective } from './objectives/index.ts'
import { forwardPass } from './passes.ts'
import { StageRunner } from './runner.ts'
import { modelOf, norm, type Tensors } from './testing/storedModel.ts'

interface StepCase {
  name: string
  config: Record<string, unknown>
  studentConfig?: Record<string, unknown>
  weights: Tensors & { teacher: Tensors; student: Tensors }
  input_values: FixtureTensor
  lengths: number[]
  frameLengths: number[]
  targets: number[][]
  alpha?: number
  beta?: number
  dropoutMasks: Record<string, FixtureTensor<Uint8Array<ArrayBuffer>>>
  timeMask: FixtureTensor<Uint8Array<ArrayBuffer>>
  losses: { crossEntropy: number; total: number; alignment?: number[]; layerwise?: number; output?: number }
  gradients: Tensors
  zeroGradient: string[]
}

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

/** One row of a batch, padded as it was. */
const rowOf = (batch: TrainingBatch, row: number): TrainingBatch => {
  const pick = <T extends Float32Array | Uint8Array>(data: T): T => data.slice((row * data.length) / batch.batch, ((row + 1) * data.length) / batch.batch) as T
  return {
    ...batch,
    batch: 1,
    lengths: batch.lengths.slice(row, row + 1),
    audio: { data: pick(batch.audio!.data), shape: [1, batch.audio!.shape[1]!], lengths: batch.audio!.lengths.slice(row, row + 1) },
    targets: [batch.targets[row]!],
    spans: { time: pick(batch.spans.time!), feature: undefined },
    masks: (site, shape, probability) => pick(batch.masks(site, [batch.batch, ...shape.slice(1)], probability)),
  }
}

describe('one training step of a classifier matches PyTorch autograd', () => {
  for (const step of readFixture<StepCase>('classification_step')) {
    it.each([1, 3])(`${step.name}, in %i micro-batches`, async (parts) => {
      const guided = step.studentConfig !== undefined
      const model = guided ? modelOf(step.studentConfig!, step.weights.student) : modelOf(step.config, step.weights)
      const options = { timeMask: true, featureMask: false, frontendTrained: true }
      const student = new StageRunner(device, model, { ...options, training: true })
      const teacher = guided ? new StageRunner(device, modelOf(step.config, step.weights.teacher), { ...options, training: false }) : undefined
      const used = new Set<string>()
      const whole: TrainingBatch = {
        batch: step.frameLengths.length,
        frames: step.timeMask.shape[1]!,
        lengths: Int32Array.from(step.frameLengths),
        audio: { data: step.input_values.data, shape: step.input_values.shape, lengths: Int32Array.from(step.lengths) },
        features: undefined,
        targets: step.targets.map((target) => Int32Array.from(target)),
        objective: classificationObjective(labelSetsOf(headOf(model.config)).map(({ labels }) => labels.length)),
        spans: { time: step.timeMask.data, feature: undefined },
        masks: (site, shape) => {
          used.add(site)
          expect(step.dropoutMasks[site]!.shape, site).toEqual([...shape])
          return step.dropoutMasks[site]!.data
        },
      }
      const batches = parts === 1 ? [whole] : whole.targets.map((_, row) => rowOf(whole, row))
      const normalisers = normalisersOf(batches)
      const gradient = new GradientSum(model.layout)
      const found: LossParts[] = []
      for (const batch of batches) {
        const lesson =
          teacher === undefined ? undefined : { pass: await forwardPass(device, teacher, await teacher.frontend(batch.audio!), batch), layerwiseWeight: step.alpha!, outputWeight: step.beta! }
        const pass = await forwardPass(device, student, await student.frontend(batch.audio!), batch)
        found.push(await accumulateGradient(student, pass, lesson, batch, normalisers, gradient, true))
      }
      expect([...used].sort()).toEqual(Object.keys(step.dropoutMasks).sort())
      const sum = (of: (part: LossParts) => number): number => found.reduce((total, part) => total + of(part), 0)
      expect(sum(({ task }) => task)).toBeCloseTo(step.losses.crossEntropy, 4)
      expect(sum(({ layerwise }) => layerwise)).toBeCloseTo((step.alpha ?? 0) * (step.losses.layerwise ?? 0), 4)
      expect(sum(({ output }) => output)).toBeCloseTo((step.beta ?? 0) * (step.losses.output ?? 0), 4)
      expect(sum(({ loss }) => loss)).toBeCloseTo(step.losses.total, 4)
      step.losses.alignment?.forEach((loss, i) => { expect(sum(({ alignment }) => alignment[i]!)).toBeCloseTo(loss, 4); })

      const all = norm(Object.values(step.gradients).flatMap(({ data }) => [...data]))
      let worst = { share: 0, name: '' }
      for (const place of model.layout.places) {
        const reference = step.gradients[place.name]!.data
        const size = norm(reference)
        // The only gradients that may vanish are the keys' biases: softmax does not change when every score grows alike.
        expect(size > 1e-9 * all, `${place.name} has a reference gradient`).toBe(!step.zeroGradient.includes(place.name))
        const difference = norm(viewOf(gradient.values, place).map((value, i) => value - reference[i]!))
        const bound = 1e-3 * size + 1e-6 * all
        if (difference / bound > worst.share) worst = { share: difference / bound, name: place.name }
        expect(difference, place.name).toBeLessThanOrEqual(bound)
      }
      console.log(`${step.name}: compared ${model.layout.places.length} parameters; worst ${worst.name} at ${(100 * worst.share).toFixed(2)} % of the bound`)
    })
  }
})
