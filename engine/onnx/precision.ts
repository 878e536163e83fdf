import type { Dim, Op, Value } from '../ir/index.ts'

/** Float type that a model computes in. */
export type Precision = 'float32' | 'float16'

type PrecisionChoices = { readonly [O in Op]: Precision | 'follows' }

/**
 * Where each operation computes in a float16 model. Matrix work and what surrounds it element by element runs in float16; sums over many
 * terms, quotients, exponentials and the recurrence stay in float32, where a small share of a long sum or a decay close to 1 would be lost.
 * `follows`: in the precision of its inputs, float32 if any is.
 */
const choices: PrecisionChoices = {
  input: 'float32',
  constant: 'follows',
  neg: 'follows',
  exp: 'float32',
  log: 'float32',
  sqrt: 'float32',
  reciprocal: 'float32',
  erf: 'float32',
  sigmoid: 'follows',
  softplus: 'float32',
  gelu: 'float16',
  add: 'follows',
  sub: 'follows',
  mul: 'follows',
  div: 'float32',
  select: 'follows',
  matmul: 'float16',
  softmax: 'float16',
  layerNorm: 'float16',
  instanceNorm: 'float32',
  sum: 'float32',
  cumulativeSum: 'float32',
  reshape: 'follows',
  transpose: 'follows',
  expand: 'follows',
  slice: 'follows',
  concat: 'follows',
  pad: 'follows',
  reverse: 'follows',
  permuteRows: 'follows',
  conv1d: 'float16',
  conv1dInputGradient: 'float32',
  conv1dWeightGradient: 'float32',
  causalConv: 'float16',
  attention: 'float16',
  linearAttention: 'float32',
}

/** What a training program chooses otherwise: norms and softmax, whose gradients are differences of what is nearly equal. */
const trainingChoices: PrecisionChoices = { ...choices, softmax: 'float32', layerNorm: 'float32' }

/** Of a product, the length that its sums run over. */
const termsOf = (value: Value<'matmul'>): Dim => value.inputs[0]!.type.shape.at(value.params.transposeA ? -2 : -1)!

/** Where an operation computes in a training program. A weight's gradient sums over all frames of a batch, however many there are: such products stay in float32. */
const trainingChoice = (value: Value): Precision | 'follows' =>
  value.op === 'matmul' && typeof termsOf(value as Value<'matmul'>) !== 'number' ? 'float32' : trainingChoices[value.op]

/**
 * Where a value is computed; undefined for a parameter, a constant, and what is made of these alone: wherever it is wanted.
 * `known`: the same of values before it.
 */
export const precisionOf = (value: Value, isParameter: (value: Value) => boolean, known: ReadonlyMap<Value, Precision | undefined>, training = false): Precision | undefined => {
  if (isParameter(value)) return undefined
  const choice = training ? trainingChoice(value) : choices[value.op]
  if (choice !== 'follows') return choice
  const inputs = value.inputs.filter((x) => x.type.dtype === 'float32')
  const settled = inputs.map((x) => known.get(x)).filter((precision) => precision !== undefined)
  if (settled.length === 0) return undefined
  // A square has twice the range of its root.
  const isSquare = value.op === 'mul' && value.inputs[0] === value.inputs[1]
  return isSquare || settled.includes('float32') ? 'float32' : 'float16'
}
