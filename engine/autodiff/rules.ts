import {
  add,
  addDims,
  asRows,
  causalConv,
  concat,
  conv1d,
  conv1dInputGradient,
  conv1dWeightGradient,
  cumulativeSum,
  div,
  erf,
  exp,
  expand,
  joinHeads,
  linearAttention,
  maskedScore,
  matmul,
  meanLast,
  mul,
  neg,
  pad,
  permuteRows,
  reciprocal,
  reshape,
  reverse,
  scalar,
  select,
  sigmoid,
  slice,
  softmax,
  splitHeads,
  sqrt,
  square,
  sub,
  subDims,
  sum,
  transpose,
  sameDim,
  type Dim,
  type Op,
  type Shape,
  type Value,
} from '../ir/index.ts'

/** The gradient of each input given that of the output; `undefined` where an input is a mask or an index. */
type GradientRule<O extends Op> = (value: Value<O>, gradient: Value) => readonly (Value | undefined)[]

/** Sums a gradient over the axes along which its input was broadcast. */
const unbroadcast = (gradient: Value, shape: Shape): Value => {
  const lead = gradient.type.shape.length - shape.length
  const axes = gradient.type.shape.flatMap((dim, axis) => (axis < lead || (shape[axis - lead] === 1 && !sameDim(dim, 1)) ? [axis] : []))
  const reduced = sum(gradient, axes)
  return lead === 0 ? reduced : reshape(reduced, shape)
}

const unary =
  <O extends Op>(rule: (x: Value, y: Value, gradient: Value) => Value): GradientRule<O> =>
  (y, gradient) => [rule(y.inputs[0]!, y, gradient)]

const binary =
  <O extends Op>(rule: (gradient: Value, a: Value, b: Value, y: Value) => readonly [Value, Value]): GradientRule<O> =>
  (y, gradient) => {
    const [a, b] = y.inputs as [Value, Value]
    const [da, db] = rule(gradient, a, b, y)
    return [unbroadcast(da, a.type.shape), unbroadcast(db, b.type.shape)]
  }

/** Of a norm over the last axis: its result before weight and bias, and x's gradient from theirs (`scaled`). */
const ofNorm = (x: Value, scaled: Value, epsilon: number): { normal: Value; dx: Value } => {
  const centred = sub(x, meanLast(x))
  const inverseDeviation = reciprocal(sqrt(add(meanLast(square(centred)), scalar(epsilon))))
  const normal = mul(centred, inverseDeviation)
  return { normal, dx: mul(inverseDeviation, sub(sub(scaled, meanLast(scaled)), mul(normal, meanLast(mul(scaled, normal))))) }
}

/** Sums over all axes but the last. */
const sumRows = (x: Value): Value => {
  const lead = x.type.shape.length - 1
  return reshape(sum(x, Array.from({ length: lead }, (_, i) => i)), x.type.shape.slice(lead))
}

/** [.., groups·N] as [.., heads·N], each group's vector repeated for its heads. */
const repeatGroups = (x: Value, heads: number, groups: number): Value => {
  if (heads === groups) return x
  const [batch, time, width] = x.type.shape as [Shape[0], Shape[0], number]
  const split = reshape(x, [batch, time, groups, 1, width / groups])
  return reshape(expand(split, [batch, time, groups, heads / groups, width / groups]), [batch, time, (width / groups) * heads])
}

/** The transpose of repeatGroups: [.., heads·N] summed to [.., groups·N]. */
const sumToGroups = (x: Value, heads: number, groups: number): Value => {
  if (heads === groups) return x
  const [batch, time, width] = x.type.shape as [Shape[0], Shape[0], number]
  const split = reshape(x, [batch, time, groups, heads / groups, width / heads])
  return reshape(sum(split, [3]), [batch, time, (width / heads) * groups])
}

/** [.., heads·N] ⊙ [.., groups·N], each group's vector for all of its heads, summed inside each head: [.., heads]. */
const dotHeads = (a: Value, b: Value, heads: number, groups: number): Value => {
  const [batch, time, width] = a.type.shape as [Shape[0], Shape[0], number]
  const [eachHead, eachGroup] = [reshape(a, [batch, time, groups, heads / groups, width / heads]), reshape(b, [batch, time, groups, 1, width / heads])]
  return reshape(sum(mul(eachHead, eachGroup), [4]), [batch, time, heads])
}

/**
 * A rule is needed for every operation; its result may use any operation, so the table is closed under differentiation.
 * autodiff.test.ts holds each rule against finite differences in float64.
 */
export const gradientRules: { readonly [O in Op]: GradientRule<O> } = {
  input: () => [],
  constant: () => [],
  neg: unary((_, __, g) => neg(g)),
  exp: unary((_, y, g) => mul(g, y)),
  log: unary((x, _, g) => div(g, x)),
  sqrt: unary((_, y, g) => mul(g, div(scalar(0.5), y))),
  reciprocal: unary((_, y, g) => neg(mul(g, square(y)))),
  erf: unary((x, _, g) => mul(g, mul(exp(neg(square(x))), scalar(2 / Math.sqrt(Math.PI))))),
  sigmoid: unary((_, y, g) => mul(g, mul(y, sub(scalar(1), y)))),
  softplus: unary((x, _, g) => mul(g, sigmoid(x))),
  // Φ(x) + x·φ(x)
  gelu: unary((x, _, g) => {
    const cumulative = mul(add(erf(mul(x, scalar(Math.SQRT1_2))), scalar(1)), scalar(0.5))
    const density = mul(exp(mul(square(x), scalar(-0.5))), scalar(1 / Math.sqrt(2 * Math.PI)))
    return mul(g, add(cumulative, mul(x, density)))
  }),
  add: binary((g) => [g, g]),
  sub: binary((g) => [g, neg(g)]),
  mul: (y, g) => {
    const [a, b] = y.inputs as [Value, Value]
    // x·σ(x), SiLU: both factors' shares at once, as x's, in two passes less.
    if (b.op === 'sigmoid' && b.inputs[0] === a) return [mul(g, add(b, mul(y, sub(scalar(1), b)))), undefined]
    return [unbroadcast(mul(g, b), a.type.shape), unbroadcast(mul(g, a), b.type.shape)]
  },
  div: binary((g, _, b, y) => [div(g, b), neg(mul(g, div(y, b)))]),
  select: ({ inputs: [condition, a, b] }, g) => [
    undefined,
    unbroadcast(select(condition!, g, scalar(0)), a!.type.shape),
    unbroadcast(select(condition!, scalar(0), g), b!.type.shape),
  ],
  matmul: ({ inputs: [a, b], params: { transposeA, transposeB } }, g) => {
    // One weight shared by all rows: its gradient is one product over all of them instead of a batch of products and a sum.
    const shared = b!.type.shape.length === 2 && a!.type.shape.length > 2 && !transposeA
    if (shared) {
      const da = matmul(g, b!, { transposeB: !transposeB })
      const db = transposeB ? matmul(asRows(g), asRows(a!), { transposeA: true }) : matmul(asRows(a!), asRows(g), { transposeA: true })
      return [da, db]
    }
    const da = transposeA ? matmul(b!, g, { transposeA: transposeB, transposeB: true }) : matmul(g, b!, { transposeB: !transposeB })
    const db = transposeB ? matmul(g, a!, { transposeA: true, transposeB: transposeA }) : matmul(a!, g, { transposeA: !transposeA })
    return [unbroadcast(da, a!.type.shape), unbroadcast(db, b!.type.shape)]
  },
  softmax: unary((x, y, g) => {
    const weighted = mul(g, y)
    return sub(weighted, mul(y, sum(weighted, [x.type.shape.length - 1])))
  }),
  layerNorm: ({ inputs: [x, weight], params: { epsilon } }, g) => {
    const { normal, dx } = ofNorm(x!, mul(g, weight!), epsilon)
    return [dx, sumRows(mul(g, normal)), sumRows(g)]
  },
  instanceNorm: ({ inputs: [x, weight], params: { epsilon } }, g) => {
    const [channels] = weight!.type.shape as [Dim]
    const perChannel = (value: Value): Value => reshape(sum(value, [0, 2]), [channels])
    const { normal, dx } = ofNorm(x!, mul(g, reshape(weight!, [channels, 1])), epsilon)
    return [dx, perChannel(mul(g, normal)), perChannel(g)]
  },
  sum: unary((x, _, g) => expand(g, x.type.shape)),
  cumulativeSum: ({ params: { axis, reverse: backwards } }, g) => [cumulativeSum(g, axis, { reverse: !backwards })],
  reshape: unary((x, _, g) => reshape(g, x.type.shape)),
  transpose: ({ params: { permutation } }, g) => [transpose(g, permutation.map((_, axis) => permutation.indexOf(axis)))],
  expand: unary((x, _, g) => unbroadcast(g, x.type.shape)),
  slice: ({ inputs: [x], params: { axis, start, end } }, g) => [pad(g, axis, start, subDims(x!.type.shape[axis]!, end))],
  concat: ({ inputs, params: { axis } }, g) => {
    let start: Shape[number] = 0
    return inputs.map((x) => {
      const end = addDims(start, x.type.shape[axis]!)
      const part = slice(g, axis, start, end)
      start = end
      return part
    })
  },
  pad: ({ inputs: [x], params: { axis, before } }, g) => [slice(g, axis, before, addDims(before, x!.type.shape[axis]!))],
  reverse: ({ params: { axis } }, g) => [reverse(g, axis)],
  permuteRows: ({ inputs: [, index] }, g) => [permuteRows(g, index!), undefined],
  conv1d: ({ inputs: [x, weight], params }, g) => [
    conv1dInputGradient(g, weight!, { ...params, time: x!.type.shape[2]! }),
    conv1dWeightGradient(x!, g, { ...params, kernel: weight!.type.shape[2] as number }),
  ],
  // Both are bilinear, so their gradients are the convolution and its other gradient again.
  conv1dInputGradient: ({ inputs: [gradient, weight], params }, g) => [
    conv1d(g, weight!, params),
    conv1dWeightGradient(g, gradient!, { ...params, kernel: weight!.type.shape[2] as number }),
  ],
  conv1dWeightGradient: ({ inputs: [x, gradient], params }, g) => [
    conv1dInputGradient(gradient!, g, { ...params, time: x!.type.shape[2]! }),
    conv1d(x!, g, params),
  ],
  causalConv: ({ inputs: [x, weight] }, g) => {
    const [, time, channels] = x!.type.shape as [Shape[0], Shape[0], number]
    const kernel = weight!.type.shape[1] as number
    const padded = pad(x!, 1, kernel - 1, 0)
    const taps = Array.from({ length: kernel }, (_, j) => reshape(sum(mul(g, slice(padded, 1, j, addDims(j, time))), [0, 1]), [channels, 1]))
    return [reverse(causalConv(reverse(g, 1), weight!), 1), concat(taps, 1)]
  },
  /** Unfused: softmax's weights are made again, as a recomputed stage makes everything again. */
  attention: ({ inputs: [qs, ks, vs, valid], params: { heads } }, g) => {
    const [q, k, v] = [qs!, ks!, vs!].map((x) => splitHeads(x, heads)) as [Value, Value, Value]
    const scale = scalar(1 / Math.sqrt(q.type.shape[3] as number))
    const scaled = mul(q, scale)
    const scores = matmul(scaled, k, { transposeB: true })
    const [batch, time] = qs!.type.shape
    const weights = softmax(valid === undefined ? scores : select(reshape(valid, [batch!, 1, 1, time!]), scores, scalar(maskedScore)))
    const dy = splitHeads(g, heads)
    const dWeights = matmul(dy, v, { transposeB: true })
    const dScores = mul(weights, sub(dWeights, sum(mul(weights, dWeights), [3])))
    const [dq, dk, dv] = [mul(matmul(dScores, k), scale), matmul(dScores, scaled, { transposeA: true }), matmul(weights, dy, { transposeA: true })]
    return [joinHeads(dq), joinHeads(dk), joinHeads(dv), ...(valid === undefined ? [] : [undefined])]
  },
  /**
   * The recurrence is its own gradient, run three times (design, section 3): backwards in time for k and v, with the decays shifted
   * one step later because S_t receives the decay of t+1 from what follows it.
   */
  linearAttention: ({ inputs, params: { heads, groups } }, g) => {
    const [q, k, v, decay] = inputs as [Value, Value, Value, Value]
    const each = { heads, groups: heads }
    const backwards = (x: Value): Value => reverse(x, 1)
    const time = decay.type.shape[1]!
    const later = slice(pad(backwards(decay), 1, 1, 0), 1, 0, time)
    const [qBack, kBack] = [backwards(q), backwards(k)]
    const dq = linearAttention(g, v, repeatGroups(k, heads, groups), decay, each)
    const dkBack = linearAttention(backwards(v), backwards(g), repeatGroups(qBack, heads, groups), later, each)
    const dv = backwards(linearAttention(kBack, qBack, backwards(g), later, { heads, groups }))
    const dDecay = cumulativeSum(sub(dotHeads(dq, q, heads, groups), backwards(dotHeads(dkBack, kBack, heads, groups))), 1, { reverse: true })
    return [sumToGroups(dq, heads, groups), backwards(sumToGroups(dkBack, heads, groups)), dv, dDecay]
  },
}
