import { add, constant, conv1d, graph, matmul, mul, reshape, reverse, sameShape, sub, substitute, transpose, type Graph, type Op, type Value } from '../ir/index.ts'

/** Kernels from this length on are read backwards by a product with the matrix that does so: [36864, 128] in 7 instead of 37 ms. */
const longKernel = 16

/** x: [.., length] with its last axis read backwards. */
const backwards = (x: Value): Value => {
  const { shape } = x.type
  const [axis, length] = [shape.length - 1, shape.at(-1) as number]
  if (length < longKernel) return reverse(x, axis)
  const exchange = constant(Array.from({ length: length * length }, (_, i) => Number(Math.floor(i / length) + (i % length) === length - 1)), [length, length])
  return matmul(x, exchange)
}

/** Without an expansion of an operand that broadcasting makes anyway. */
const broadcast =
  (operation: (a: Value, b: Value) => Value) =>
  ({ inputs: [a, b], type }: Value): Value | undefined => {
    const spared = (x: Value, other: Value): Value => (x.op === 'expand' && x.inputs[0]!.type.shape.length === type.shape.length && sameShape(other.type.shape, type.shape) ? x.inputs[0]! : x)
    const [left, right] = [spared(a!, b!), spared(b!, a!)]
    if (left === a && right === b) return undefined
    return left !== a && right !== b ? operation(left, b!) : operation(left, right)
  }

/** What the CPU computes faster another way. A rewrite is needed where its kernel of an operation is slow and others give the same result. */
const rewrites: { readonly [O in Op]?: (value: Value<O>) => Value | undefined } = {
  add: broadcast(add),
  sub: broadcast(sub),
  mul: broadcast(mul),
  // Products transpose their operand again for every 128 columns of the result, in which a quarter of their time goes: [3072, 998] times [998, 768] in 36 instead of 43 ms.
  matmul: ({ inputs: [a, b], params: { transposeA, transposeB } }) => (transposeA && a!.type.shape.length === 2 ? matmul(transpose(a!, [1, 0]), b!, { transposeB }) : undefined),
  // CausalConvWithState runs on one thread: 17 ms for [2, 499, 1024] and 4 taps, against 5 ms as a grouped convolution with its transposes.
  causalConv: ({ inputs: [x, weight] }) => {
    const [channels, kernel] = weight!.type.shape as [number, number]
    const filtered = conv1d(transpose(x!, [0, 2, 1]), reshape(weight!, [channels, 1, kernel]), { padBefore: kernel - 1, groups: channels })
    return transpose(filtered, [0, 2, 1])
  },
  // A transposed convolution of stride 1 is a convolution with the flipped weight, which runs several times faster here.
  conv1dInputGradient: ({ inputs: [gradient, weight], params: { stride, padBefore, padAfter, groups } }) => {
    const [out, perGroup, kernel] = weight!.type.shape as [number, number, number]
    if (stride !== 1 || padBefore >= kernel || padAfter >= kernel) return undefined
    const grouped = transpose(reshape(backwards(weight!), [groups, out / groups, perGroup, kernel]), [0, 2, 1, 3])
    return conv1d(gradient!, reshape(grouped, [groups * perGroup, out / groups, kernel]), { padBefore: kernel - 1 - padBefore, padAfter: kernel - 1 - padAfter, groups })
  },
}

const rewritten = <O extends Op>(value: Value<O>): Value | undefined => rewrites[value.op]?.(value)

/** The graph as the CPU computes it fastest; its inputs stay as they are. */
export const forCpu = (built: Graph): Graph => graph(built.name, substitute(built.outputs, (value) => rewritten(value)))
