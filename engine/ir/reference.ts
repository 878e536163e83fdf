import { evaluateDim, evaluateShape, type Bindings } from './dim.ts'
import { bindShapes, type Graph } from './graph.ts'
import { maskedScore, type Op, type Value } from './ops.ts'

/** A dense row-major tensor in float64; what the reference evaluator computes with. */
export interface Dense {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

export const dense = (shape: readonly number[], data: ArrayLike<number>): Dense => ({ shape, data: Float64Array.from(data) })

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const strides = (shape: readonly number[]): number[] => shape.map((_, i) => size(shape.slice(i + 1)))

/** Visits every multi-index of a shape in row-major order; the index is reused. */
const forEachIndex = (shape: readonly number[], visit: (index: number[], offset: number) => void): void => {
  const index = shape.map(() => 0)
  const count = size(shape)
  for (let offset = 0; offset < count; offset++) {
    visit(index, offset)
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
  }
}

/** Builds a tensor by asking for the element at each multi-index. */
const generate = (shape: readonly number[], element: (index: number[]) => number): Dense => {
  const data = new Float64Array(size(shape))
  forEachIndex(shape, (index, offset) => (data[offset] = element(index)))
  return { shape, data }
}

const at = ({ shape, data }: Dense, index: readonly number[]): number => data[strides(shape).reduce((offset, stride, axis) => offset + stride * index[axis]!, 0)]!

/** The element of a tensor that broadcasts to the index's rank. */
const atBroadcast = (x: Dense, index: readonly number[]): number => at(x, x.shape.map((length, axis) => (length === 1 ? 0 : index[index.length - x.shape.length + axis]!)))

const map = (x: Dense, f: (value: number) => number): Dense => ({ shape: x.shape, data: x.data.map(f) })
const replaced = (index: readonly number[], axis: number, value: number): number[] => index.map((old, i) => (i === axis ? value : old))
/** Normed over the last axis, with a weight and a bias along another. */
const normed = (x: Dense, weight: Dense, bias: Dense, epsilon: number, along: number): Dense => {
  const axis = x.shape.length - 1
  const width = x.shape[axis]!
  return generate(x.shape, (index) => {
    const row = range(width).map((i) => at(x, replaced(index, axis, i)))
    const mean = total(width, (i) => row[i]!) / width
    const variance = total(width, (i) => (row[i]! - mean) ** 2) / width
    return ((row[index[axis]!]! - mean) / Math.sqrt(variance + epsilon)) * weight.data[index[along]!]! + bias.data[index[along]!]!
  })
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
const total = (n: number, term: (i: number) => number): number => {
  let result = 0
  for (let i = 0; i < n; i++) result += term(i)
  return result
}

/** erf by its Maclaurin series below 3 and its continued fraction above (Abramowitz & Stegun 7.1.5, 7.1.14); absolute error below 1e-13. */
export const erfOf = (x: number): number => {
  const a = Math.abs(x)
  if (a < 3) {
    let term = a
    let series = a
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n
      series += term / (2 * n + 1)
    }
    return (Math.sign(x) * 2 * series) / Math.sqrt(Math.PI)
  }
  let fraction = a
  for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction)
}

interface Context {
  readonly shape: readonly number[]
  readonly bindings: Bindings
}

/** The plainest correct evaluation of each operation: slow, in float64, written from its definition in ops.ts. */
type Evaluation<O extends Op> = (params: Value<O>['params'], inputs: readonly Dense[], context: Context) => Dense

const unary = (f: (value: number) => number) => (_: unknown, [x]: readonly Dense[]): Dense => map(x!, f)
const binary = (f: (a: number, b: number) => number) => (_: unknown, [a, b]: readonly Dense[], { shape }: Context): Dense =>
  generate(shape, (index) => f(atBroadcast(a!, index), atBroadcast(b!, index)))

/** Visits every (output, input, weight) index triple that a convolution multiplies. */
const convolve = (
  params: { stride: number; padBefore: number; groups: number },
  x: readonly number[],
  weight: readonly number[],
  outTime: number,
  visit: (y: number[], x: number[], weight: number[]) => void,
): void => {
  const [batch, , time] = x
  const [out, perGroup, kernel] = weight
  for (const b of range(batch!)) for (const o of range(out!)) for (const i of range(perGroup!)) for (const k of range(kernel!)) for (const t of range(outTime)) {
    const source = t * params.stride + k - params.padBefore
    const channel = Math.floor(o / (out! / params.groups)) * perGroup! + i
    if (source >= 0 && source < time!) visit([b, o, t], [b, channel, source], [o, i, k])
  }
}

const scatter = (shape: readonly number[], write: (addTo: (index: number[], value: number) => void) => void): Dense => {
  const result = { shape, data: new Float64Array(size(shape)) }
  const steps = strides(shape)
  write((index, value) => {
    result.data[steps.reduce((offset, stride, axis) => offset + stride * index[axis]!, 0)]! += value
  })
  return result
}

export const evaluations: { readonly [O in Op]: Evaluation<O> } = {
  input: () => {
    throw new TypeError('an input is given, not evaluated')
  },
  constant: ({ values }, _, { shape }) => dense(shape, values.length === 1 ? new Float64Array(size(shape)).fill(values[0]!) : values),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  reciprocal: unary((x) => 1 / x),
  erf: unary(erfOf),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  gelu: unary((x) => (x / 2) * (1 + erfOf(x / Math.SQRT2))),
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  select: (_, [condition, a, b], { shape }) => generate(shape, (index) => atBroadcast(atBroadcast(condition!, index) === 0 ? b! : a!, index)),
  matmul: ({ transposeA, transposeB }, [a, b], { shape }) => {
    const inner = transposeA ? a!.shape.at(-2)! : a!.shape.at(-1)!
    return generate(shape, (index) => {
      const [row, column] = index.slice(-2)
      const lead = index.slice(0, -2)
      return total(inner, (k) => atBroadcast(a!, [...lead, ...(transposeA ? [k, row!] : [row!, k])]) * atBroadcast(b!, [...lead, ...(transposeB ? [column!, k] : [k, column!])]))
    })
  },
  softmax: (_, [x]) => {
    const axis = x!.shape.length - 1
    return generate(x!.shape, (index) => {
      const row = range(x!.shape[axis]!).map((i) => at(x!, replaced(index, axis, i)))
      const top = Math.max(...row)
      return Math.exp(at(x!, index) - top) / total(row.length, (i) => Math.exp(row[i]! - top))
    })
  },
  layerNorm: ({ epsilon }, [x, weight, bias]) => normed(x!, weight!, bias!, epsilon, x!.shape.length - 1),
  instanceNorm: ({ epsilon }, [x, weight, bias]) => normed(x!, weight!, bias!, epsilon, 1),
  sum: ({ axes }, [x], { shape }) =>
    scatter(shape, (addTo) => forEachIndex(x!.shape, (index) => addTo(index.map((i, axis) => (axes.includes(axis) ? 0 : i)), at(x!, index)))),
  cumulativeSum: ({ axis, reverse }, [x]) =>
    generate(x!.shape, (index) => {
      const [from, to] = reverse ? [index[axis]!, x!.shape[axis]!] : [0, index[axis]! + 1]
      return total(to - from, (i) => at(x!, replaced(index, axis, from + i)))
    }),
  reshape: (_, [x], { shape }) => ({ shape, data: x!.data }),
  transpose: ({ permutation }, [x], { shape }) => generate(shape, (index) => at(x!, x!.shape.map((_, axis) => index[permutation.indexOf(axis)]!))),
  expand: (_, [x], { shape }) => generate(shape, (index) => atBroadcast(x!, index)),
  slice: ({ axis, start }, [x], { shape, bindings }) => generate(shape, (index) => at(x!, replaced(index, axis, index[axis]! + evaluateDim(start, bindings)))),
  concat: ({ axis }, inputs, { shape }) =>
    generate(shape, (index) => {
      let position = index[axis]!
      for (const x of inputs) {
        if (position < x.shape[axis]!) return at(x, replaced(index, axis, position))
        position -= x.shape[axis]!
      }
      throw new RangeError('past the last input of a concat')
    }),
  pad: ({ axis, before }, [x], { shape, bindings }) =>
    generate(shape, (index) => {
      const position = index[axis]! - evaluateDim(before, bindings)
      return position >= 0 && position < x!.shape[axis]! ? at(x!, replaced(index, axis, position)) : 0
    }),
  reverse: ({ axis }, [x]) => generate(x!.shape, (index) => at(x!, replaced(index, axis, x!.shape[axis]! - 1 - index[axis]!))),
  permuteRows: (_, [x, rows]) => generate(x!.shape, (index) => at(x!, replaced(index, 0, rows!.data[index[0]!]!))),
  conv1d: (params, [x, weight], { shape }) =>
    scatter(shape, (addTo) => convolve(params, x!.shape, weight!.shape, shape[2]!, (y, i, w) => addTo(y, at(x!, i) * at(weight!, w)))),
  conv1dInputGradient: (params, [gradient, weight], { shape }) =>
    scatter(shape, (addTo) => convolve(params, shape, weight!.shape, gradient!.shape[2]!, (y, i, w) => addTo(i, at(gradient!, y) * at(weight!, w)))),
  conv1dWeightGradient: (params, [x, gradient], { shape }) =>
    scatter(shape, (addTo) => convolve(params, x!.shape, shape, gradient!.shape[2]!, (y, i, w) => addTo(w, at(gradient!, y) * at(x!, i)))),
  causalConv: (_, [x, weight]) => {
    const kernel = weight!.shape[1]!
    return generate(x!.shape, ([b, t, c]) => total(kernel, (j) => (t! - (kernel - 1) + j < 0 ? 0 : at(weight!, [c!, j]) * at(x!, [b!, t! - (kernel - 1) + j, c!]))))
  },
  attention: ({ heads }, [q, k, v, valid]) => {
    const [, time, width] = q!.shape as [number, number, number]
    const size = width / heads
    return generate(q!.shape, ([b, t, channel]) => {
      const head = Math.floor(channel! / size) * size
      const score = (u: number): number => total(size, (n) => at(q!, [b!, t!, head + n]) * at(k!, [b!, u, head + n])) / Math.sqrt(size)
      const scores = range(time).map((u) => (valid === undefined || at(valid, [b!, u]) !== 0 ? score(u) : maskedScore))
      const top = Math.max(...scores)
      const weights = scores.map((score) => Math.exp(score - top))
      return total(time, (u) => weights[u]! * at(v!, [b!, u, channel!])) / total(time, (u) => weights[u]!)
    })
  },
  linearAttention: ({ heads, groups }, [q, k, v, g], { shape }) => {
    const [batch, time] = shape
    const keyWidth = q!.shape[2]! / groups
    const valueWidth = shape[2]! / heads
    const result = { shape, data: new Float64Array(size(shape)) }
    for (const b of range(batch!)) for (const h of range(heads)) {
      const group = Math.floor(h / (heads / groups))
      const state = new Float64Array(keyWidth * valueWidth)
      for (const t of range(time!)) for (const p of range(valueWidth)) for (const n of range(keyWidth)) {
        const s = n * valueWidth + p
        state[s] = Math.exp(at(g!, [b, t, h])) * state[s]! + at(k!, [b, t, group * keyWidth + n]) * at(v!, [b, t, h * valueWidth + p])
        result.data[(b * time! + t) * shape[2]! + h * valueWidth + p]! += at(q!, [b, t, group * keyWidth + n]) * state[s]
      }
    }
    return result
  },
}

const evaluateNode = <O extends Op>(value: Value<O>, inputs: readonly Dense[], bindings: Bindings): Dense =>
  evaluations[value.op](value.params, inputs, { shape: evaluateShape(value.type.shape, bindings), bindings })

/** Evaluates a graph in float64; the yardstick for gradients, lowering and runtimes. */
export const evaluateReference = (built: Graph, inputs: Readonly<Record<string, Dense>>): Record<string, Dense> => {
  const bindings = bindShapes(built, Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, x.shape])))
  const results = new Map<Value, Dense>()
  for (const value of built.nodes) {
    const known = value.op === 'input' ? inputs[(value as Value<'input'>).params.name]! : evaluateNode(value, value.inputs.map((x) => results.get(x)!), bindings)
    results.set(value, known)
  }
  return Object.fromEntries(Object.entries(built.outputs).map(([name, value]) => [name, results.get(value)!]))
}
