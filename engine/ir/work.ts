import { evaluateShape, type Bindings } from './dim.ts'
import type { Op, Value } from './ops.ts'

type Lengths = readonly (readonly number[])[]
type Rule<O extends Op> = (params: Value<O>['params'], inputs: Lengths, out: readonly number[]) => number

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/**
 * Floating-point operations of the operations that are matrix work, 2 for each product that is added up: matrix products, convolutions, attention,
 * and the recurrence of linear attention (an update and a read of its state a step). What is not here counts nothing.
 */
const rules: { readonly [O in Op]?: Rule<O> } = {
  matmul: ({ transposeA }, [a], out) => 2 * product(out) * a!.at(transposeA ? -2 : -1)!,
  conv1d: (_, [, weight], out) => 2 * product(out) * weight![1]! * weight![2]!,
  conv1dInputGradient: (_, [gradient, weight]) => 2 * product(gradient!) * weight![1]! * weight![2]!,
  conv1dWeightGradient: (_, [, gradient], out) => 2 * product(gradient!) * out[1]! * out[2]!,
  causalConv: (_, [, weight], out) => 2 * product(out) * weight![1]!,
  attention: (_, [q], out) => 4 * product(out) * q![1]!,
  linearAttention: ({ groups }, [q], out) => (4 * product(out) * q![2]!) / groups,
}

const workOf = <O extends Op>(value: Value<O>, bindings: Bindings): number =>
  rules[value.op]?.(value.params, value.inputs.map((x) => evaluateShape(x.type.shape, bindings)), evaluateShape(value.type.shape, bindings)) ?? 0

/** Matrix work of some nodes at given lengths, in floating-point operations. */
export const matrixWork = (nodes: Iterable<Value>, bindings: Bindings): number => {
  let total = 0
  for (const value of nodes) total += workOf(value, bindings)
  return total
}
