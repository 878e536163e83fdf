import { matrixWork, type Graph } from '../ir/index.ts'
import { frameCount, type SpeechModel } from '../models/index.ts'
import type { Precision } from '../onnx/index.ts'
import { CounterRandom, fillNormal } from '../random.ts'
import { float32, type Device } from '../runtime/index.ts'
import { openLearner, type Learner } from './learning/index.ts'
import { accumulateGradient, normalisersOf, type LossParts, type TrainingBatch } from './objective.ts'
import { recognitionObjective } from './objectives/index.ts'
import { clipScale } from './optimiser/clip.ts'
import { segmentsOf } from './optimiser/fromSettings.ts'
import { disposePass, forwardPass, mostKeptBytes } from './passes.ts'
import { drawnMasks, remembered, StageRunner } from './runner.ts'
import { maskTimeSpans } from './specAugment.ts'
import { trainingStages, type StageOptions } from './stages.ts'

export interface TrialShape {
  readonly batch: number
  /** Samples of each utterance. */
  readonly samples: number
  /** Memory for what layers keep for their backward pass, in bytes; as the trainer by default. */
  readonly keep?: number
  /** Float type of the programs; float32 by default. */
  readonly precision?: Precision
}

/** Of a transcript, an utterance and second: about what English has. */
const charactersPerSecond = 12
const seed = 1

/**
 * Target guided updates of a student on noise, made of the trainer's parts: features of a frozen frontend, the teacher's pass, the student's
 * forward and backward passes with its dropout and SpecAugment, clipping and AdamW. For measurements of speed and memory.
 */
export class TrialUpdates {
  readonly #device: Device
  readonly #student: StageRunner
  readonly #teacher: StageRunner
  readonly #shape: TrialShape & { readonly frames: number }
  readonly #options: Omit<StageOptions, 'training'>
  readonly #features: Float32Array
  readonly #learner: Learner
  #update = 0

  constructor(device: Device, { student, teacher }: { student: SpeechModel; teacher: SpeechModel }, shape: TrialShape) {
    const { config } = student
    this.#device = device
    this.#options = { timeMask: config.mask_time_prob > 0, featureMask: false, frontendTrained: false, precision: shape.precision }
    this.#learner = openLearner(device, student, { precision: shape.precision })
    this.#student = new StageRunner(device, student, { ...this.#options, training: true }, this.#learner.weights)
    this.#teacher = new StageRunner(device, teacher, { ...this.#options, training: false })
    const frames = frameCount(config, shape.samples)
    this.#shape = { ...shape, frames }
    this.#features = new Float32Array(shape.batch * frames * config.conv_dim.at(-1)!)
    fillNormal(this.#features, 1, seed, 'trial features')
  }

  /** One update. */
  async run(): Promise<LossParts> {
    const { model } = this.#student
    const { gradient } = this.#learner
    const batch = this.#batch()
    const normalisers = normalisersOf([batch])
    this.#learner.begin()
    const features = await this.#device.upload(batch.features!)
    const taught = await forwardPass(this.#device, this.#teacher, features, batch)
    const pass = await forwardPass(this.#device, this.#student, features, batch, { keep: this.#shape.keep ?? mostKeptBytes })
    const parts = await accumulateGradient(this.#student, pass, { pass: taught, layerwiseWeight: 3.75, outputWeight: 0.25 }, batch, normalisers, gradient, false)
    for (const each of [taught, pass]) disposePass(each)
    features.dispose()
    const norm = await gradient.norm()
    const segments = segmentsOf(model, { freezeFrontend: true, weightDecay: 0.005 })
    this.#update++
    const finite = Number.isFinite(norm)
    if (finite) await this.#learner.step({ learningRate: 1e-5, update: this.#update - this.#learner.lossScale.overflows, gradientScale: clipScale(norm, 1), segments })
    this.#learner.lossScale.follow(finite)
    return parts
  }

  /** Floating-point operations of an update's matrix work; what a backward program computes again of its forward is not counted. */
  work(): number {
    const { batch, frames } = this.#shape
    const of = (graph: Graph | undefined, without?: Graph): number => {
      const known = new Set(without?.nodes)
      return matrixWork((graph?.nodes ?? []).filter((value) => !known.has(value)), { batch, time: frames })
    }
    const [student, teacher] = [this.#student, this.#teacher].map((runner) => trainingStages(runner.model.config, { ...this.#options, training: runner === this.#student })) as [ReturnType<typeof trainingStages>, ReturnType<typeof trainingStages>]
    let total = 0
    for (const [kind, times] of [['projection', 1], ['layer', this.#student.layers], ['head', 1]] as const) {
      const { forward, backward, guidedBackward } = student[kind]
      total += times * (of(teacher[kind].forward) + of(forward) + of(guidedBackward ?? backward, forward))
    }
    return total
  }

  /** Brings the student's parameters back from the device. */
  fetch(): Promise<void> {
    return this.#learner.fetch('weights')
  }

  async dispose(): Promise<void> {
    await this.#student.dispose()
    await this.#teacher.dispose()
    await this.#learner.dispose()
  }

  #batch(): TrainingBatch {
    const { batch, samples, frames } = this.#shape
    const { config } = this.#student.model
    const key = { seed, update: this.#update, microBatch: 0 }
    const lengths = new Int32Array(batch).fill(frames)
    const letters = new CounterRandom(seed, 'trial targets')
    const characters = Math.min(Math.round((samples / 16_000) * charactersPerSecond), frames >> 1)
    return {
      batch,
      frames,
      lengths,
      audio: undefined,
      features: float32(this.#features, [batch, frames, config.conv_dim.at(-1)!]),
      objective: recognitionObjective(config.pad_token_id),
      targets: Array.from({ length: batch }, () => Int32Array.from({ length: characters }, () => 1 + letters.nextInt(config.vocab_size - 1))),
      masks: remembered(drawnMasks(key)),
      spans: {
        time: config.mask_time_prob === 0 ? undefined : maskTimeSpans({ ...key, probability: config.mask_time_prob, spanLength: config.mask_time_length, minMasks: config.mask_time_min_masks, lengths, frames }),
        feature: undefined,
      },
    }
  }
}
