import * as ir from '../index.ts'
import type { DType, Op, Shape, Value } from '../index.ts'

/** One use of an operation, with concrete inputs. Tests of gradients, lowering and devices all run over these. */
export interface OperationCase {
  readonly title: string
  readonly inputs: Readonly<Record<string, CaseInput>>
  readonly build: (inputs: Readonly<Record<string, Value>>) => Value
}

interface CaseInput {
  readonly shape: Shape
  readonly dtype?: DType
  /** Maps a uniform random number of [−1, 1) to an element; the default leaves it. */
  readonly element?: (random: number, index: number) => number
}

export const bindings = { batch: 2, time: 9, samples: 27 }

const batch = ir.variable('batch')
const time = ir.variable('time')
const samples = ir.variable('samples')

const one = (title: string, shape: Shape, build: (x: Value) => Value, element?: CaseInput['element']): OperationCase => ({
  title,
  inputs: { x: element === undefined ? { shape } : { shape, element } },
  build: ({ x }) => build(x!),
})

const two = (title: string, a: Shape, b: Shape, build: (a: Value, b: Value) => Value, elementB?: CaseInput['element']): OperationCase => ({
  title,
  inputs: { a: { shape: a }, b: elementB === undefined ? { shape: b } : { shape: b, element: elementB } },
  build: (x) => build(x.a!, x.b!),
})

const unary = (build: (x: Value) => Value, element?: CaseInput['element']): OperationCase[] => [one('of a matrix', [batch, 5], build, element)]

const binary = (build: (a: Value, b: Value) => Value, elementB?: CaseInput['element']): OperationCase[] => [
  two('of equal shapes', [batch, 4], [batch, 4], build, elementB),
  two('broadcasting a vector', [batch, time, 3], [3], build, elementB),
  two('broadcasting both ways', [batch, 1, 3], [time, 1], build, elementB),
  two('with a scalar', [batch, 3], [], build, elementB),
]

const positive = (random: number): number => 0.3 + Math.abs(random)
const wide = (random: number): number => 4 * random
const awayFromZero = (random: number): number => Math.sign(random) * (0.4 + Math.abs(random))

const conv = (inChannels: number, out: number, kernel: number, params: Partial<ir.Conv1d>): OperationCase => {
  const groups = params.groups ?? 1
  return two(`kernel ${kernel} ${JSON.stringify(params)}`, [batch, inChannels, samples], [out, inChannels / groups, kernel], (x, w) => ir.conv1d(x, w, params))
}
const convs = [
  conv(1, 3, 10, { stride: 5 }),
  conv(4, 3, 3, { stride: 2 }),
  conv(6, 4, 2, { stride: 2 }),
  conv(4, 6, 2, { stride: 2, groups: 2 }),
  conv(4, 4, 16, { padBefore: 8, padAfter: 8, groups: 2 }),
  conv(4, 4, 18, { padBefore: 9, padAfter: 8, groups: 4 }),
  conv(3, 5, 1, {}),
  conv(2, 3, 4, { stride: 3, padBefore: 2, padAfter: 1 }),
]

/** A convolution's gradient, as an operation of its own (its gradient is the second derivative of the convolution). */
const convGradient = (of: 'x' | 'weight', inChannels: number, out: number, kernel: number, params: ir.Conv1d): OperationCase => {
  const outTime = ir.convLength(samples, kernel, params)
  const gradient: CaseInput = { shape: [batch, out, outTime] }
  const x: CaseInput = { shape: [batch, inChannels, samples] }
  const weight: CaseInput = { shape: [out, inChannels / params.groups, kernel] }
  return {
    title: `kernel ${kernel} ${JSON.stringify(params)}`,
    // x is among the inputs of both: it binds the length the gradient is derived from.
    inputs: of === 'x' ? { x, gradient, weight } : { x, gradient },
    build: (v) =>
      of === 'x'
        ? ir.add(ir.mul(ir.scalar(0.5), v.x!), ir.conv1dInputGradient(v.gradient!, v.weight!, { ...params, time: samples }))
        : ir.conv1dWeightGradient(v.x!, v.gradient!, { ...params, kernel }),
  }
}
const convGradients = (of: 'x' | 'weight'): OperationCase[] => [
  convGradient(of, 4, 3, 3, { stride: 2, padBefore: 0, padAfter: 0, groups: 1 }),
  convGradient(of, 4, 6, 5, { stride: 1, padBefore: 2, padAfter: 1, groups: 2 }),
  convGradient(of, 4, 4, 18, { stride: 1, padBefore: 9, padAfter: 9, groups: 2 }),
  convGradient(of, 2, 2, 4, { stride: 3, padBefore: 2, padAfter: 1, groups: 2 }),
]

const attention = (heads: number, groups: number): OperationCase => ({
  title: `${heads} heads, ${groups} groups`,
  inputs: {
    q: { shape: [batch, time, groups * 3] },
    k: { shape: [batch, time, groups * 3] },
    v: { shape: [batch, time, heads * 2] },
    g: { shape: [batch, time, heads], element: (random) => -1.5 * Math.abs(random) },
  },
  build: ({ q, k, v, g }) => ir.linearAttention(q!, k!, v!, g!, { heads, groups }),
})

/** A permutation that is its own inverse: the first rows reversed, the rest kept. */
const involution = (_: number, index: number): number => (index < 7 ? 6 - index : index)

/** Each operation, used in every way the models use it. A new operation without a case is a compile error. */
export const operationCases: { readonly [O in Op]: readonly OperationCase[] } = {
  input: [one('passed through', [batch, 3], (x) => x)],
  constant: [one('added', [batch, 3], (x) => ir.add(x, ir.constant([0.5, -1, 2], [3]))), one('filled', [batch, 3], (x) => ir.mul(x, ir.constant([0.5], [1, 3])))],
  neg: unary(ir.neg),
  exp: unary(ir.exp),
  log: unary(ir.log, positive),
  sqrt: unary(ir.sqrt, positive),
  reciprocal: unary(ir.reciprocal, awayFromZero),
  erf: unary(ir.erf, wide),
  sigmoid: unary(ir.sigmoid, wide),
  softplus: unary(ir.softplus, wide),
  gelu: unary(ir.gelu, wide),
  add: binary(ir.add),
  sub: binary(ir.sub),
  mul: [...binary(ir.mul), one('of a value with itself', [batch, 3], (x) => ir.mul(x, x))],
  div: binary(ir.div, awayFromZero),
  select: [
    {
      title: 'with a broadcast condition',
      inputs: { condition: { shape: [batch, time, 1], dtype: 'bool', element: (random) => Number(random > 0) }, a: { shape: [batch, time, 3] }, b: { shape: [3] } },
      build: ({ condition, a, b }) => ir.select(condition!, a!, b!),
    },
  ],
  matmul: [
    two('of matrices', [time, 3], [3, 4], (a, b) => ir.matmul(a, b)),
    two('transposed both', [3, time], [4, 3], (a, b) => ir.matmul(a, b, { transposeA: true, transposeB: true })),
    two('batched with a shared weight', [batch, time, 3], [4, 3], (a, b) => ir.matmul(a, b, { transposeB: true })),
    two('batched with a shared weight, not transposed', [batch, time, 3], [3, 4], (a, b) => ir.matmul(a, b)),
    two('batched both', [batch, 2, time, 3], [batch, 2, time, 3], (a, b) => ir.matmul(a, b, { transposeB: true })),
    two('batched, first transposed', [batch, 2, 3, time], [batch, 2, 3, 4], (a, b) => ir.matmul(a, b, { transposeA: true })),
    two('batched against one', [batch, 2, time, 3], [1, 2, 3, 4], (a, b) => ir.matmul(a, b)),
  ],
  softmax: [one('over rows', [batch, time, 4], ir.softmax, wide)],
  layerNorm: [
    {
      title: 'with weight and bias',
      inputs: { x: { shape: [batch, time, 6], element: wide }, weight: { shape: [6], element: (r) => 1 + r / 2 }, bias: { shape: [6] } },
      build: ({ x, weight, bias }) => ir.layerNorm(x!, weight!, bias!, 1e-5),
    },
  ],
  instanceNorm: [
    {
      title: 'over time',
      inputs: { x: { shape: [batch, 5, time], element: wide }, weight: { shape: [5], element: (r) => 1 + r / 2 }, bias: { shape: [5] } },
      build: ({ x, weight, bias }) => ir.instanceNorm(x!, weight!, bias!, 1e-5),
    },
  ],
  sum: [
    one('over the last axis', [batch, time, 4], (x) => ir.sum(x, [2])),
    one('over leading axes', [batch, time, 4], (x) => ir.sum(x, [0, 1])),
    one('over all', [batch, time, 4], (x) => ir.sum(x, [0, 1, 2])),
  ],
  cumulativeSum: [
    one('forwards', [batch, time, 3], (x) => ir.cumulativeSum(x, 1)),
    one('backwards', [batch, time, 3], (x) => ir.cumulativeSum(x, 1, { reverse: true })),
  ],
  reshape: [
    one('splitting heads', [batch, time, 6], (x) => ir.reshape(x, [batch, time, 2, 3])),
    one('to rows', [batch, time, 6], ir.asRows),
    one('with two lengths moved', [batch, time, 6], (x) => ir.reshape(x, [3, batch, 2, time])),
  ],
  transpose: [one('of four axes', [batch, time, 2, 3], (x) => ir.transpose(x, [0, 2, 1, 3])), one('a cycle', [batch, time, 3], (x) => ir.transpose(x, [2, 0, 1]))],
  expand: [one('of a vector', [1, 3], (x) => ir.expand(x, [4, 3])), one('to a new axis', [3, 1], (x) => ir.expand(x, [2, 3, 5]))],
  slice: [
    one('a middle', [batch, time, 6], (x) => ir.slice(x, 2, 1, 4)),
    one('up to before the end', [batch, time, 6], (x) => ir.slice(x, 1, 2, ir.addDims(time, -1))),
    one('to the end', [batch, time, 6], (x) => ir.slice(x, 1, ir.addDims(time, -3), time)),
    one('by half the length', [batch, time, 6], (x) => ir.slice(x, 1, 1, ir.floorDivDim(time, 2))),
  ],
  concat: [two('of two', [batch, time, 2], [batch, time, 3], (a, b) => ir.concat([a, b, a], 2)), two('along time', [batch, time, 2], [batch, 3, 2], (a, b) => ir.concat([a, b], 1))],
  pad: [one('along time', [batch, time, 2], (x) => ir.pad(x, 1, 3, 1)), one('by a symbolic length', [batch, time, 2], (x) => ir.pad(x, 1, 0, ir.floorDivDim(time, 2)))],
  reverse: [one('in time', [batch, time, 2], (x) => ir.reverse(x, 1))],
  permuteRows: [
    {
      title: 'of utterances laid end to end',
      inputs: { x: { shape: [ir.mulDims(batch, time), 3] }, index: { shape: [ir.mulDims(batch, time)], dtype: 'int32', element: involution }, mask: { shape: [batch, time, 1] } },
      build: ({ x, index, mask }) => ir.mul(ir.reshape(ir.permuteRows(x!, index!), [batch, time, 3]), mask!),
    },
  ],
  conv1d: convs,
  conv1dInputGradient: convGradients('x'),
  conv1dWeightGradient: convGradients('weight'),
  causalConv: [two('kernel 4', [batch, time, 3], [3, 4], ir.causalConv)],
  attention: [
    ...[1, 2, 3].map((heads) => ({
    title: `of ${heads} heads`,
    inputs: { q: { shape: [batch, time, 6], element: wide }, k: { shape: [batch, time, 6] }, v: { shape: [batch, time, 6] } },
    build: ({ q, k, v }: Readonly<Record<string, Value>>) => ir.attention(q!, k!, v!, { heads }),
  })),
    {
      title: 'to valid steps alone',
      inputs: {
        q: { shape: [batch, time, 6], element: wide },
        k: { shape: [batch, time, 6] },
        v: { shape: [batch, time, 6] },
        valid: { shape: [batch, time], dtype: 'bool', element: (_: number, index: number) => Number(index < 9 || index < 14) },
      },
      build: ({ q, k, v, valid }: Readonly<Record<string, Value>>) => ir.attention(q!, k!, v!, { heads: 2 }, valid),
    },
  ],
  linearAttention: [attention(2, 1), attention(2, 2), attention(4, 2), attention(1, 1)],
}

/** A small deterministic generator (Lehmer, Park & Miller 1988), uniform over [−1, 1). */
export const randomSequence = (seed: number): (() => number) => {
  let state = seed * 7919 + 17
  return () => {
    state = (state * 48271) % 2147483647
    return (2 * state) / 2147483647 - 1
  }
}

/** The graph of a case, and its inputs in float64. */
export const instantiate = (operation: string, { title, inputs, build }: OperationCase, seed = 1): { graph: ir.Graph; inputs: Record<string, ir.Dense> } => {
  const random = randomSequence(seed)
  const values = Object.fromEntries(Object.entries(inputs).map(([name, { shape, dtype }]) => [name, ir.input(name, shape, dtype)]))
  const data = Object.entries(inputs).map(([name, { shape, element = (r: number) => r }]) => {
    const lengths = ir.evaluateShape(shape, bindings)
    const count = lengths.reduce((a, b) => a * b, 1)
    return [name, ir.dense(lengths, Array.from({ length: count }, (_, i) => element(random(), i)))] as const
  })
  return { graph: ir.graph(`${operation} ${title}`, { y: build(values) }), inputs: Object.fromEntries(data) }
}
