import { evaluateShape, type Bindings, type Shape } from './dim.ts'
import { narrow } from './build.ts'
import type { Value } from './ops.ts'

const lengths = (value: Value | undefined, bindings: Bindings): readonly number[] => evaluateShape(value!.type.shape as Shape, bindings)
const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/**
 * Floating-point operations of a node that a matrix product would count: 2 for each multiplication and addition of matrix products, convolutions,
 * attention and the recurrence of linear attention (an update and a read of its state a step); 0 for everything else.
 */
const workOf = (value: Value, bindings: Bindings): number => {
  const node = narrow(value)
  const out = product(lengths(value, bindings))
  switch (node.op) {
    case 'matmul':
      return 2 * out * lengths(value.inputs[0], bindings).at(node.params.transposeA ? -2 : -1)!
    case 'conv1d': {
      const [, perGroup, kernel] = lengths(value.inputs[1], bindings)
      return 2 * out * perGroup! * kernel!
    }
    case 'conv1dInputGradient': {
      const [, perGroup, kernel] = lengths(value.inputs[1], bindings)
      return 2 * product(lengths(value.inputs[0], bindings)) * perGroup! * kernel!
    }
    case 'conv1dWeightGradient': {
      const [, perGroup, kernel] = lengths(value, bindings)
      return 2 * product(lengths(value.inputs[1], bindings)) * perGroup! * kernel!
    }
    case 'causalConv':
      return 2 * out * lengths(value.inputs[1], bindings)[1]!
    case 'attention':
      return 4 * out * lengths(value.inputs[0], bindings)[1]!
    case 'linearAttention':
      return (4 * out * lengths(value.inputs[0], bindings)[2]!) / node.params.groups
    default:
      return 0
  }
}

/** Matrix work of some nodes at given lengths, in floating-point operations. */
export const matrixWork = (nodes: Iterable<Value>, bindings: Bindings): number => {
  let total = 0
  for (const value of nodes) total += workOf(value, bindings)
  return total
}
