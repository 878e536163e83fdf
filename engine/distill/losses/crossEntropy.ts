import { RuntimeError } from '../../errors.ts'

/**
 * scale · (log Σ exp(logits) − logits[label]) of one distribution of `logits` ([labels]), in nats; adds its gradient,
 * scale · (softmax(logits) − onehot(label)), to `gradient`. RuntimeError for a label that is none.
 */
export const crossEntropy = (logits: Float32Array, label: number, scale: number, gradient: Float32Array): number => {
  if (!Number.isInteger(label) || label < 0 || label >= logits.length) throw new RuntimeError(`cross entropy: expected a label below ${logits.length}, found ${label}`)
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity)
  const sum = logits.reduce((total, value) => total + Math.exp(value - largest), 0)
  logits.forEach((value, i) => (gradient[i]! += scale * (Math.exp(value - largest) / sum - (i === label ? 1 : 0))))
  return scale * (largest + Math.log(sum) - logits[label]!)
}
