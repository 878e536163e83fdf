import { RuntimeError } from '../../errors.ts'

export interface OutputDistillationInput {
  /** [batch, frames, vocabularySize], before the softmax. */
  readonly teacherLogits: Float32Array
  /** [batch, frames, vocabularySize], before the softmax. */
  readonly studentLogits: Float32Array
  readonly batch: number
  readonly frames: number
  readonly vocabularySize: number
  /** [batch, frames]: β / valid frames of the whole update where a frame counts, 0 elsewhere; logits of weight 0 are not looked at. */
  readonly frameWeights: Float32Array
  /** What both sides' logits are divided by. */
  readonly temperature?: number
  /** [batch, frames, vocabularySize]; the gradient by the student's logits is added to it. */
  readonly gradient: Float32Array
}

/**
 * Σ over frames of weight · KL(softmax(teacher / τ) ‖ softmax(student / τ)) in nats, summed over the vocabulary and without the
 * factor τ² of Hinton et al. (2015). The gradient is weight / τ · (softmax(student / τ) − softmax(teacher / τ)).
 * RuntimeError for sizes that do not fit.
 */
export function outputDistillation(input: OutputDistillationInput): number {
  checkInput(input)
  const { teacherLogits, studentLogits, vocabularySize, frameWeights, temperature = 2, gradient } = input
  const teacher = new Float64Array(vocabularySize)
  const student = new Float64Array(vocabularySize)
  let total = 0
  for (let frame = 0; frame < frameWeights.length; frame++) {
    const weight = frameWeights[frame]!
    if (weight === 0) continue
    const offset = frame * vocabularySize
    logSoftmax(teacherLogits, offset, temperature, teacher)
    logSoftmax(studentLogits, offset, temperature, student)
    let divergence = 0
    for (let v = 0; v < vocabularySize; v++) {
      const p = Math.exp(teacher[v]!)
      // 0 · log 0 = 0: a label the teacher rules out costs the student nothing.
      if (p !== 0) divergence += p * (teacher[v]! - student[v]!)
      gradient[offset + v]! += (weight / temperature) * (Math.exp(student[v]!) - p)
    }
    total += weight * divergence
  }
  return total
}

function checkInput(input: OutputDistillationInput): void {
  const { teacherLogits, studentLogits, batch, frames, vocabularySize, frameWeights, temperature, gradient } = input
  const size = batch * frames * vocabularySize
  const fits = [teacherLogits, studentLogits, gradient].every(({ length }) => length === size) && frameWeights.length === batch * frames
  if (!fits) {
    const found = [teacherLogits, studentLogits, gradient, frameWeights].map(({ length }) => length).join(', ')
    const expected = `${size} logits of teacher and student, ${size} gradients and ${batch * frames} frame weights`
    throw new RuntimeError(`output distillation: expected ${expected}, found ${found}`)
  }
  if (temperature !== undefined && !(temperature > 0)) {
    throw new RuntimeError(`output distillation: expected a temperature above 0, found ${temperature}`)
  }
}

/** log softmax(logits / temperature) of one frame. */
function logSoftmax(logits: Float32Array, offset: number, temperature: number, out: Float64Array): void {
  let largest = -Infinity
  for (let v = 0; v < out.length; v++) {
    out[v] = logits[offset + v]! / temperature
    largest = Math.max(largest, out[v]!)
  }
  let sum = 0
  for (let v = 0; v < out.length; v++) sum += Math.exp(out[v]! - largest)
  const normaliser = largest + Math.log(sum)
  for (let v = 0; v < out.length; v++) out[v]! -= normaliser
}
