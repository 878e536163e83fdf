import { afterAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { guidanceSchema, trainingSchema } from '../../contract/index.ts'
import { viewOf, type SpeechModel } from '../../models/index.ts'
import { openDevice } from '../../runtime/index.ts'
import { accumulateGradient, normalisersOf, type TrainingBatch } from '../objective.ts'
import { recognitionObjective } from '../objectives/index.ts'
import { AdamW } from '../optimiser/adamw.ts'
import { clipScale, gradientNorm } from '../optimiser/clip.ts'
import { decayOf, segmentsOf } from '../optimiser/fromSettings.ts'
import { disposePass, forwardPass } from '../passes.ts'
import { StageRunner, type MaskSource } from '../runner.ts'
import { modelOf, type Tensors } from '../testing/storedModel.ts'
import { GradientSum } from '../gradientSum.ts'
import { guidanceWays } from './index.ts'

type Masks = Record<string, FixtureTensor<Uint8Array<ArrayBuffer>>>

interface GuidanceCase {
  name: 'target' | 'trajectory' | 'waypoint' | 'hybrid' | 'hybridKeepingOutput'
  config: Record<string, unknown>
  studentConfig: Record<string, unknown>
  weights: { source: Tensors; student: Tensors }
  input_values: FixtureTensor
  lengths: number[]
  frameLengths: number[]
  targets: number[][]
  alpha: number
  beta: number
  dropoutMasks: Masks
  timeMask: FixtureTensor<Uint8Array<ArrayBuffer>>
  learningRates: number[]
  weightDecay: number
  losses: { ctc: number; layerwise?: number; output?: number }[]
  studentAfter: Tensors
  teacherDropoutMasks?: Masks
  /** There when the teacher is in training mode, and weight decay has the authors' scope. */
  teacherTimeMask?: FixtureTensor<Uint8Array<ArrayBuffer>>
  decayed?: string[]
  teacherRate?: number
  teacherAfter?: Tensors
  waypoints?: { update: number; weights: Tensors }[]
  switchUpdate?: number
  keepOutput?: boolean
}

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const given =
  (masks: Masks): MaskSource =>
  (site, shape) => {
    expect(masks[site]!.shape, site).toEqual([...shape])
    return masks[site]!.data
  }

/** In exact arithmetic its gradient is zero (it adds one number to every score of a query), so Adam moves it by the sign of rounding noise. */
const movedByNoise = (name: string): boolean => name.endsWith('attention.k_proj.bias')

const expectWeights = (parameters: Float32Array, { layout }: SpeechModel, expected: Tensors): void => {
  for (const place of layout.places) {
    if (movedByNoise(place.name)) continue
    const reference = expected[place.name]!.data
    const worst = viewOf(parameters, place).reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0)
    expect(worst, place.name).toBeLessThan(1e-4)
  }
}

describe('three updates under each way of guiding end at the weights of PyTorch', () => {
  for (const stored of [...readFixture<GuidanceCase>('guidance'), ...readFixture<GuidanceCase>('authors_options')]) {
    it(stored.name, async () => {
      const student = modelOf(stored.studentConfig, stored.weights.student)
      const source = modelOf(stored.config, stored.weights.source)
      const training = trainingSchema.parse({
        updates: 3,
        batchSeconds: 100,
        schedule: { peak: stored.teacherRate ?? 1, warmupUpdates: 0, decay: 'none', floor: 0 },
        weightDecay: stored.weightDecay,
        clipNorm: 1,
        freezeFrontend: false,
        evaluateEvery: 3,
        ...(stored.decayed === undefined ? {} : { decayScope: 'authors' }),
        seed: 1,
      })
      const guidance = guidanceSchema.parse({
        guidance: stored.name === 'hybridKeepingOutput' ? 'hybrid' : stored.name,
        layerwiseWeight: stored.alpha,
        outputWeight: stored.beta,
        ...(stored.teacherTimeMask === undefined ? {} : { teacherMode: 'training' }),
        ...(stored.switchUpdate === undefined ? {} : { switchUpdate: stored.switchUpdate, keepOutput: stored.keepOutput }),
      })
      const stages = { timeMask: true, featureMask: false, frontendTrained: true }
      const guide = guidanceWays[guidance.guidance].open({
        device,
        guidance,
        training,
        student,
        teacher: source,
        source,
        waypoints: (stored.waypoints ?? []).map(({ update, weights }) => ({ update, path: `update ${update}`, open: () => Promise.resolve(modelOf(stored.config, weights)) })),
        stages,
        audio: { samplingRate: 16000, normalise: true },
        masks: () => given(stored.teacherDropoutMasks!),
      })!
      const batch: TrainingBatch = {
        batch: stored.lengths.length,
        frames: stored.timeMask.shape[1]!,
        lengths: Int32Array.from(stored.frameLengths),
        audio: { data: stored.input_values.data, shape: stored.input_values.shape, lengths: Int32Array.from(stored.lengths) },
        features: undefined,
        targets: stored.targets.map((target) => Int32Array.from(target)),
        objective: recognitionObjective(0),
        spans: { time: stored.timeMask.data, feature: undefined },
        ...(stored.teacherTimeMask === undefined ? {} : { teacherSpans: { time: stored.teacherTimeMask.data, feature: undefined } }),
        masks: given(stored.dropoutMasks),
      }
      const runner = new StageRunner(device, student, { ...stages, training: true })
      const optimiser = new AdamW(student.layout.size)
      const segments = segmentsOf(student, training)
      if (stored.decayed !== undefined) expect(new Set(student.layout.places.filter((place) => decayOf(place, training) > 0).map(({ name }) => name))).toEqual(new Set(stored.decayed))
      for (const [update, learningRate] of stored.learningRates.entries()) {
        await guide.enter(update)
        guide.begin()
        const features = await runner.frontend(batch.audio!)
        const lesson = await guide.teach({ update, microBatch: 0 }, { utterances: [], batch }, features, normalisersOf([batch]))
        const pass = await forwardPass(device, runner, features, batch)
        const gradient = new GradientSum(student.layout)
        const parts = await accumulateGradient(runner, pass, lesson, batch, normalisersOf([batch]), gradient, true)
        const expected = stored.losses[update]!
        expect(parts.task).toBeCloseTo(expected.ctc, 3)
        expect(parts.layerwise).toBeCloseTo((lesson?.layerwiseWeight ?? 0) * (expected.layerwise ?? 0), 3)
        expect(parts.output).toBeCloseTo((lesson?.outputWeight ?? 0) * (expected.output ?? 0), 3)
        await lesson?.close()
        await guide.leave(update)
        disposePass(pass)
        features.dispose()
        optimiser.step(student.parameters, gradient.values, { learningRate, update: update + 1, gradientScale: clipScale(gradientNorm([gradient.values]), 1), segments })
      }
      expectWeights(student.parameters, student, stored.studentAfter)
      if (stored.teacherAfter !== undefined) expectWeights(guide.state.teacherParameters!, source, stored.teacherAfter)
      await guide.dispose()
      await runner.dispose()
    })
  }
})
