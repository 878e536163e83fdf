import type { SpeechBatch } from '../models/index.ts'
import type { HostTensor } from '../runtime/index.ts'
import type { Gradient } from './learning/index.ts'
import { countedFrames, frameWeights, type Objective, type Targeted } from './objectives/index.ts'
import { backwardPass, hiddenStates, type Pass } from './passes.ts'
import type { BatchContext, HiddenSpans, MaskSource, StageRunner } from './runner.ts'

/** One micro-batch: audio or ready features, the frames they make, and what the task wants of them. */
export interface TrainingBatch extends BatchContext, Targeted {
  /** [batch, samples]; there when a frontend has to run. */
  readonly audio: SpeechBatch | undefined
  /** [batch, time, channels] of a frozen frontend, shared by teacher and student. */
  readonly features: HostTensor | undefined
  readonly objective: Objective
  /** Spans that a teacher in training mode hides; default: the student's. */
  readonly teacherSpans?: HiddenSpans | undefined
  /** Encoder layers that the student leaves out of this micro-batch; default: none. */
  readonly droppedLayers?: ReadonlySet<number>
  /** Where it is some rows of a larger batch: their part of masks that are drawn for that. */
  readonly part?: (whole: MaskSource) => MaskSource
}

/** Sums over the whole update that the means of the loss divide by. */
export interface Normalisers {
  /** Of the task's loss: characters, or utterances × label sets. */
  readonly targets: number
  /** Of the output distillation: frames, or utterances × label sets. */
  readonly outputs: number
  /** Of the alignment: valid frames of the counted utterances. */
  readonly frames: number
}

export interface LossParts {
  readonly loss: number
  /** The task's own loss. */
  readonly task: number
  readonly layerwise: number
  readonly output: number
  /** Unweighted alignment loss of each layer. */
  readonly alignment: readonly number[]
  readonly infeasible: number
}

/** A teacher's pass over the batch, and how strongly it pulls. */
export interface Lesson {
  readonly pass: Pass
  /** α and β of this update. */
  readonly layerwiseWeight: number
  readonly outputWeight: number
}

/** What the means of an update run over; utterances that the objective does not count appear nowhere. */
export const normalisersOf = (batches: readonly Pick<TrainingBatch, 'batch' | 'frames' | 'lengths' | 'targets' | 'objective'>[]): Normalisers => {
  const total = (of: (batch: (typeof batches)[number]) => number): number => Math.max(1, batches.reduce((sum, batch) => sum + of(batch), 0))
  return {
    targets: total((batch) => batch.objective.targets(batch)),
    outputs: total((batch) => batch.objective.outputs(batch)),
    frames: total((batch) => countedFrames(batch.objective, batch)),
  }
}

/**
 * What one micro-batch teaches, from the learner's forward pass: adds the gradient of
 * task loss / targets + α · mean over layers of the alignment + β · KL (design, section 5) to `gradient` and returns the parts.
 */
export const accumulateGradient = async (
  runner: StageRunner,
  pass: Pass,
  lesson: Lesson | undefined,
  batch: TrainingBatch,
  normalisers: Normalisers,
  gradient: Gradient,
  frontendTrained: boolean,
): Promise<LossParts> => {
  const { layers } = runner
  const { objective } = batch
  const dLogits = new Float32Array(pass.logits.length)
  const task = objective.loss(batch, pass.logits, 1 / normalisers.targets, dLogits)
  const [alpha, beta] = [lesson?.layerwiseWeight ?? 0, lesson?.outputWeight ?? 0]
  const output = lesson === undefined || beta === 0 ? 0 : objective.distil(batch, lesson.pass.logits, pass.logits, beta / normalisers.outputs, dLogits)

  const weight = frameWeights(objective, batch, alpha / (layers * normalisers.frames))
  const guides = lesson === undefined || alpha === 0 ? undefined : hiddenStates(lesson.pass).map((teacher) => ({ teacher, weight }))
  const audio = frontendTrained ? batch.audio : undefined
  const weighted = await backwardPass(runner, pass, dLogits, batch, gradient, { guides, audio })
  const layerwise = weighted.reduce((a, b) => a + b, 0)
  return {
    loss: task + layerwise + output,
    task,
    layerwise,
    output,
    alignment: alpha === 0 ? [] : weighted.map((value) => (value * layers) / alpha),
    infeasible: objective.counted(batch).filter((counts) => !counts).length,
  }
}
