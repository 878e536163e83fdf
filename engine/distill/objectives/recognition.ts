import { ctcFeasible, ctcLoss } from '../losses/ctc.ts'
import { outputDistillation } from '../losses/outputDistillation.ts'
import { countedFrames, frameWeights, type Objective, type Targeted } from './objective.ts'

/** Utterances whose transcript fits their frames; CTC's loss of the others is infinite. */
const counted = ({ lengths, targets }: Targeted): boolean[] => targets.map((target, b) => ctcFeasible(lengths[b]!, target))

/** CTC summed / characters; the distributions of the output distillation are those of the valid frames. Logits: [batch, frames, vocabulary]. */
export const recognitionObjective = (blank: number): Objective => {
  const shapeOf = ({ batch, frames }: Targeted, logits: Float32Array): { batch: number; frames: number; vocabularySize: number } => ({ batch, frames, vocabularySize: logits.length / (batch * frames) })
  return {
    counted,
    targets: (batch) => counted(batch).reduce((total, counts, b) => (counts ? total + batch.targets[b]!.length : total), 0),
    outputs: (batch) => countedFrames({ counted }, batch),
    loss: (batch, logits, scale, gradient) => {
      const { losses } = ctcLoss({ logits, ...shapeOf(batch, logits), frameLengths: batch.lengths, targets: batch.targets, blank, scale, gradient })
      const fits = counted(batch)
      return losses.reduce((total, loss, b) => (fits[b]! ? total + loss : total), 0) * scale
    },
    distil: (batch, teacherLogits, studentLogits, scale, gradient) =>
      outputDistillation({ teacherLogits, studentLogits, ...shapeOf(batch, studentLogits), frameWeights: frameWeights({ counted }, batch, scale), gradient }),
  }
}
