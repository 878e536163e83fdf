import { RuntimeError } from '../../errors.ts'
import { crossEntropy } from '../losses/crossEntropy.ts'
import { outputDistillation } from '../losses/outputDistillation.ts'
import type { Objective, Targeted } from './objective.ts'

/** Where each label set lies in a row of logits. */
interface Stretch {
  readonly start: number
  readonly end: number
}

/**
 * Cross entropy, its mean and that of the output distillation taken over utterances and label sets. Logits: [batch, labels of all sets],
 * set after set; `sizes` are the numbers of labels.
 */
export const classificationObjective = (sizes: readonly number[]): Objective => {
  const width = sizes.reduce((a, b) => a + b, 0)
  const stretches = sizes.map((size, set): Stretch => {
    const start = sizes.slice(0, set).reduce((a, b) => a + b, 0)
    return { start, end: start + size }
  })
  const distributions = ({ batch }: Targeted): number => batch * sizes.length
  /** Σ over utterances and sets of `of`, which is told where the distribution lies. */
  const total = ({ batch }: Targeted, logits: Float32Array, of: (stretch: Stretch, utterance: number, set: number) => number): number => {
    if (logits.length !== batch * width) throw new RuntimeError(`classification: expected ${batch * width} logits, ${width} an utterance, found ${logits.length}`)
    let sum = 0
    for (let b = 0; b < batch; b++) stretches.forEach(({ start, end }, set) => (sum += of({ start: b * width + start, end: b * width + end }, b, set)))
    return sum
  }
  return {
    counted: ({ targets }) => targets.map(() => true),
    targets: distributions,
    outputs: distributions,
    loss: (batch, logits, scale, gradient) =>
      total(batch, logits, ({ start, end }, b, set) => crossEntropy(logits.subarray(start, end), batch.targets[b]![set]!, scale, gradient.subarray(start, end))),
    distil: (batch, teacher, student, scale, gradient) =>
      total(batch, student, ({ start, end }) =>
        outputDistillation({
          teacherLogits: teacher.subarray(start, end),
          studentLogits: student.subarray(start, end),
          batch: 1,
          frames: 1,
          vocabularySize: end - start,
          frameWeights: Float32Array.of(scale),
          gradient: gradient.subarray(start, end),
        }),
      ),
  }
}
