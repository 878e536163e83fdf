import type { BatchFrames } from '../../models/index.ts'

/** A batch as an objective sees it. */
export interface Targeted extends BatchFrames {
  /** What each utterance should come out as: characters in a row, or one label of each set. */
  readonly targets: readonly Int32Array[]
}

/**
 * A task's own loss on logits, and what stands on both sides of the output distillation. Values are sums over a batch times a factor;
 * the factors carry the means over the whole update. To add one, write a file like its neighbours.
 */
export interface Objective {
  /** Which utterances take part in any loss of an update. */
  readonly counted: (batch: Targeted) => boolean[]
  /** How many targets of the counted utterances the loss is a mean over. */
  readonly targets: (batch: Targeted) => number
  /** How many distributions of theirs the output distillation is a mean over. */
  readonly outputs: (batch: Targeted) => number
  /** scale · Σ loss; adds its gradient by the logits to `gradient`. */
  readonly loss: (batch: Targeted, logits: Float32Array, scale: number, gradient: Float32Array) => number
  /** scale · Σ KL(softmax(teacher / 2) ‖ softmax(student / 2)); adds its gradient by the student's logits to `gradient`. */
  readonly distil: (batch: Targeted, teacher: Float32Array, student: Float32Array, scale: number, gradient: Float32Array) => number
}

/** `value` at each valid frame of a counted utterance, 0 elsewhere: [batch, frames]. */
export const frameWeights = ({ counted }: Pick<Objective, 'counted'>, batch: Targeted, value: number): Float32Array => {
  const weights = new Float32Array(batch.batch * batch.frames)
  counted(batch).forEach((counts, b) => counts && weights.fill(value, b * batch.frames, b * batch.frames + batch.lengths[b]!))
  return weights
}

/** Valid frames of the counted utterances. */
export const countedFrames = ({ counted }: Pick<Objective, 'counted'>, batch: Targeted): number => counted(batch).reduce((total, counts, b) => (counts ? total + batch.lengths[b]! : total), 0)
