import { sizeOf, type Dim, type Shape } from './dim.ts'
import { inferenceRules } from './infer.ts'
import type { AnyValue, Conv1d, DType, Op, OpParams, TensorType, Value } from './ops.ts'

/** Makes a node; its type comes from the inference table, which throws GraphError when the inputs do not fit. */
const node = <O extends Op>(op: O, inputs: readonly Value[], params: OpParams[O], declared?: TensorType): Value<O> => ({
  op,
  inputs,
  params,
  type: inferenceRules[op](params, inputs.map((value) => value.type), declared),
})

const none = {}

/** A value seen as the union over operations, so that a check of `op` narrows its parameters. */
export const narrow = (value: Value): AnyValue => value as AnyValue

export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Value<'input'> => node('input', [], { name }, { dtype, shape })
/** A float32 constant; one value fills the shape. */
export const constant = (values: readonly number[], shape: Shape = []): Value => node('constant', [], { values }, { dtype: 'float32', shape })
export const scalar = (value: number): Value => constant([value])

export const neg = (x: Value): Value => node('neg', [x], none)
export const exp = (x: Value): Value => node('exp', [x], none)
export const log = (x: Value): Value => node('log', [x], none)
export const sqrt = (x: Value): Value => node('sqrt', [x], none)
export const reciprocal = (x: Value): Value => node('reciprocal', [x], none)
export const erf = (x: Value): Value => node('erf', [x], none)
export const sigmoid = (x: Value): Value => node('sigmoid', [x], none)
export const softplus = (x: Value): Value => node('softplus', [x], none)
export const gelu = (x: Value): Value => node('gelu', [x], none)
export const add = (a: Value, b: Value): Value => node('add', [a, b], none)
export const sub = (a: Value, b: Value): Value => node('sub', [a, b], none)
export const mul = (a: Value, b: Value): Value => node('mul', [a, b], none)
export const div = (a: Value, b: Value): Value => node('div', [a, b], none)
export const select = (condition: Value, a: Value, b: Value): Value => node('select', [condition, a, b], none)

export const matmul = (a: Value, b: Value, { transposeA = false, transposeB = false } = {}): Value => node('matmul', [a, b], { transposeA, transposeB })
export const softmax = (x: Value): Value => node('softmax', [x], none)
export const layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value => node('layerNorm', [x, weight, bias], { epsilon })
export const instanceNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value => node('instanceNorm', [x, weight, bias], { epsilon })
export const sum = (x: Value, axes: readonly number[]): Value => (axes.length === 0 ? x : node('sum', [x], { axes }))
export const cumulativeSum = (x: Value, axis: number, { reverse = false } = {}): Value => node('cumulativeSum', [x], { axis, reverse })

export const reshape = (x: Value, shape: Shape): Value => node('reshape', [x], { shape })
export const transpose = (x: Value, permutation: readonly number[]): Value => node('transpose', [x], { permutation })
export const expand = (x: Value, shape: Shape): Value => node('expand', [x], { shape })
export const slice = (x: Value, axis: number, start: Dim, end: Dim): Value => node('slice', [x], { axis, start, end })
export const concat = (inputs: readonly Value[], axis: number): Value => (inputs.length === 1 ? inputs[0]! : node('concat', inputs, { axis }))
export const pad = (x: Value, axis: number, before: Dim, after: Dim): Value => node('pad', [x], { axis, before, after })
export const reverse = (x: Value, axis: number): Value => node('reverse', [x], { axis })
export const permuteRows = (x: Value, index: Value): Value => node('permuteRows', [x, index], none)

export const conv1d = (x: Value, weight: Value, { stride = 1, padBefore = 0, padAfter = 0, groups = 1 }: Partial<Conv1d> = {}): Value =>
  node('conv1d', [x, weight], { stride, padBefore, padAfter, groups })
export const conv1dInputGradient = (gradient: Value, weight: Value, params: OpParams['conv1dInputGradient']): Value => node('conv1dInputGradient', [gradient, weight], params)
export const conv1dWeightGradient = (x: Value, gradient: Value, params: OpParams['conv1dWeightGradient']): Value => node('conv1dWeightGradient', [x, gradient], params)
export const causalConv = (x: Value, weight: Value): Value => node('causalConv', [x, weight], none)
export const attention = (q: Value, k: Value, v: Value, params: OpParams['attention'], valid?: Value): Value =>
  node('attention', valid === undefined ? [q, k, v] : [q, k, v, valid], params)
export const linearAttention = (q: Value, k: Value, v: Value, g: Value, params: OpParams['linearAttention']): Value => node('linearAttention', [q, k, v, g], params)

// Compositions that several layers and rules share.

export const square = (x: Value): Value => mul(x, x)
/** x·sigmoid(x). */
export const silu = (x: Value): Value => mul(x, sigmoid(x))
/** Mean over the last axis, which stays with length 1. */
export const meanLast = (x: Value): Value => {
  const axis = x.type.shape.length - 1
  const width = x.type.shape[axis]!
  const share = typeof width === 'number' ? scalar(1 / width) : reciprocal(sum(expand(scalar(1), [width]), [0]))
  return mul(sum(x, [axis]), share)
}
/** [batch, time, heads·N] as [batch, heads, time, N]. */
export const splitHeads = (x: Value, heads: number): Value => {
  const [batch, time, width] = x.type.shape as [Dim, Dim, number]
  return transpose(reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3])
}
/** [batch, heads, time, N] as [batch, time, heads·N]. */
export const joinHeads = (x: Value): Value => {
  const [batch, heads, time, size] = x.type.shape as [Dim, number, Dim, number]
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, time, heads * size])
}
/** [..., width] as [rows, width]. */
export const asRows = (x: Value): Value => reshape(x, [sizeOf(x.type.shape.slice(0, -1)), x.type.shape.at(-1)!])
