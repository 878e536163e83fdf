/** One element among several gradients. */
export interface GradientElement {
  /** Which of the gradients. */
  readonly gradient: number
  /** Where in it. */
  readonly index: number
  readonly value: number
}

/** The Euclidean norm of all gradients together, summed in float64. Infinite or NaN when an element is. */
export function gradientNorm(gradients: readonly Float32Array[]): number {
  let total = 0
  for (const gradient of gradients) total += sumOfSquares(gradient)
  return Math.sqrt(total)
}

/** Four sums side by side: one would wait for each addition before the next. */
function sumOfSquares(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = values.length - (values.length % 4)
  for (let i = 0; i < whole; i += 4) {
    a += values[i]! * values[i]!
    b += values[i + 1]! * values[i + 1]!
    c += values[i + 2]! * values[i + 2]!
    d += values[i + 3]! * values[i + 3]!
  }
  for (let i = whole; i < values.length; i++) a += values[i]! * values[i]!
  return a + b + (c + d)
}

/** What gradients of this norm are multiplied by to clip them: min(1, maxNorm / (norm + 1e-6)), as in torch's clip_grad_norm_. */
export function clipScale(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6))
}

/** The finite element of the largest magnitude, the first of equals; undefined when there is none. */
export function largestGradient(gradients: readonly Float32Array[]): GradientElement | undefined {
  let best: GradientElement | undefined
  let magnitude = -1
  for (const [gradient, values] of gradients.entries()) {
    for (let index = 0; index < values.length; index++) {
      const value = values[index]!
      if (!(Math.abs(value) > magnitude && Math.abs(value) < Infinity)) continue
      magnitude = Math.abs(value)
      best = { gradient, index, value }
    }
  }
  return best
}

/** The first element that is infinite or NaN; undefined when all are finite. */
export function firstNonFinite(gradients: readonly Float32Array[]): GradientElement | undefined {
  for (const [gradient, values] of gradients.entries()) {
    const index = values.findIndex((value) => !Number.isFinite(value))
    if (index >= 0) return { gradient, index, value: values[index]! }
  }
  return undefined
}
