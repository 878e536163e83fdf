import type { SpeechBatch } from '../models/index.ts'
import type { HostTensor } from '../runtime/index.ts'
import { ctcFeasible, ctcLoss } from './losses/ctc.ts'
import { outputDistillation } from './losses/outputDistillation.ts'
import { backwardPass, hiddenStates, logitsGradient, type Pass } from './passes.ts'
import type { BatchContext, MaskSource, StageRunner } from './runner.ts'

/** One micro-batch: audio or ready features, the frames they make, and the transcripts. */
export interface TrainingBatch extends BatchContext {
  /** [batch, samples]; there when a frontend has to run. */
  readonly audio: SpeechBatch | undefined
  /** [batch, time, channels] of a frozen frontend, shared by teacher and student. */
  readonly features: HostTensor | undefined
  readonly targets: readonly Int32Array[]
  /** Where it is some rows of a larger batch: their part of masks that are drawn for that. */
  readonly part?: (whole: MaskSource) => MaskSource
}

/** Sums over the whole update that the means of the loss divide by. */
export interface Normalisers {
  /** Labels of the utterances whose transcript fits their frames. */
  readonly characters: number
  /** Valid frames of the same utterances. */
  readonly frames: number
}

export interface LossParts {
  readonly loss: number
  readonly ctc: number
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

const feasible = ({ lengths, targets }: Pick<TrainingBatch, 'lengths' | 'targets'>): boolean[] => targets.map((target, b) => ctcFeasible(lengths[b]!, target))

/** What the means of an update run over; an utterance whose CTC loss is infinite counts nowhere. */
export const normalisersOf = (batches: readonly Pick<TrainingBatch, 'lengths' | 'targets'>[]): Normalisers => {
  let characters = 0
  let frames = 0
  for (const batch of batches) {
    feasible(batch).forEach((fits, b) => {
      characters += fits ? batch.targets[b]!.length : 0
      frames += fits ? batch.lengths[b]! : 0
    })
  }
  return { characters: Math.max(1, characters), frames: Math.max(1, frames) }
}

const frameWeights = (batch: TrainingBatch, value: number): Float32Array => {
  const weights = new Float32Array(batch.batch * batch.frames)
  feasible(batch).forEach((fits, b) => fits && weights.fill(value, b * batch.frames, b * batch.frames + batch.lengths[b]!))
  return weights
}

/**
 * What one micro-batch teaches, from the learner's forward pass: adds the gradient of
 * CTC / characters + α · mean over layers of the alignment + β · KL (design, section 5) to `gradient` and returns the parts.
 */
export const accumulateGradient = async (
  runner: StageRunner,
  pass: Pass,
  lesson: Lesson | undefined,
  batch: TrainingBatch,
  normalisers: Normalisers,
  gradient: Float32Array,
  frontendTrained: boolean,
): Promise<LossParts> => {
  const { layers } = runner
  const { logits } = pass
  const { vocab_size: vocabularySize, pad_token_id: blank } = runner.model.config
  const dLogits = new Float32Array(logits.length)
  const shape = { batch: batch.batch, frames: batch.frames, vocabularySize }
  const { losses } = ctcLoss({ logits, ...shape, frameLengths: batch.lengths, targets: batch.targets, blank, scale: 1 / normalisers.characters, gradient: dLogits })
  const fits = feasible(batch)
  const ctc = losses.reduce((total, loss, b) => (fits[b]! ? total + loss : total), 0) / normalisers.characters
  const [alpha, beta] = [lesson?.layerwiseWeight ?? 0, lesson?.outputWeight ?? 0]
  const output =
    lesson === undefined || beta === 0
      ? 0
      : outputDistillation({ teacherLogits: lesson.pass.logits, studentLogits: logits, ...shape, frameWeights: frameWeights(batch, beta / normalisers.frames), gradient: dLogits })

  const weight = frameWeights(batch, alpha / (layers * normalisers.frames))
  const guides = lesson === undefined || alpha === 0 ? undefined : hiddenStates(lesson.pass).map((teacher) => ({ teacher, weight }))
  const audio = frontendTrained ? batch.audio : undefined
  const weighted = await backwardPass(runner, pass, logitsGradient(dLogits, batch, vocabularySize), batch, gradient, { guides, audio })
  const layerwise = weighted.reduce((a, b) => a + b, 0)
  return {
    loss: ctc + layerwise + output,
    ctc,
    layerwise,
    output,
    alignment: alpha === 0 ? [] : weighted.map((value) => (value * layers) / alpha),
    infeasible: fits.filter((fit) => !fit).length,
  }
}
