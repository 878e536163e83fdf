/** Steps of the finite differences; positions that are multiples of it below 2^16 take them without rounding in float32. */
const STEP = 2 ** -7

/** Rounds to a position that `derivative` can step from exactly. */
export const steppable = (value: number): number => Math.round(value / STEP) * STEP

/**
 * df / dx[index] at x by the central difference of fourth order; f reads x, which is written to and put back.
 * The error is STEP⁴ / 30 times the fifth derivative, 1e-10 of it, as long as the values of x are steppable and f is in float64.
 */
export function derivative(f: () => number, x: Float32Array, index: number): number {
  const held = x[index]!
  const at = (steps: number): number => {
    x[index] = held + steps * STEP
    return f()
  }
  const result = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP)
  x[index] = held
  return result
}
