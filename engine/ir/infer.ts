import { GraphError } from '../errors.ts'
import { addDims, floorDivDim, formatDim, formatShape, sameDim, sameShape, sizeOf, subDims, type Dim, type Shape } from './dim.ts'
import type { Conv1d, DType, Op, OpParams, TensorType } from './ops.ts'

type Types = readonly TensorType[]
/** The type of an operation's result from its parameters and the types of its inputs. */
type InferenceRule<O extends Op> = (params: OpParams[O], inputs: Types, declared: TensorType | undefined) => TensorType

export const formatType = (type: TensorType): string => `${type.dtype}${formatShape(type.shape)}`

const fail = (op: Op, expected: string, inputs: Types): never => {
  throw new GraphError(`${op}: expected ${expected}, got ${inputs.map(formatType).join(', ') || 'nothing'}`)
}

const float = (shape: Shape): TensorType => ({ dtype: 'float32', shape })

const take = (op: Op, inputs: Types, count: number, dtypes: readonly DType[] = []): void => {
  const fits = inputs.length === count && inputs.every((type, i) => type.dtype === (dtypes[i] ?? 'float32'))
  if (!fits) fail(op, `${count} inputs of ${Array.from({ length: count }, (_, i) => dtypes[i] ?? 'float32').join(', ')}`, inputs)
}

const broadcast = (op: Op, a: Shape, b: Shape, inputs: Types): Shape =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i, rank = Math.max(a.length, b.length)) => {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    if (sameDim(x, y) || y === 1) return x
    return x === 1 ? y : fail(op, 'shapes that broadcast', inputs)
  })

const withAxis = (op: Op, inputs: Types, axis: number, length: (old: Dim) => Dim): TensorType => {
  const { dtype, shape } = inputs[0]!
  if (!(axis >= 0 && axis < shape.length)) fail(op, `axis ${axis} inside the input's rank`, inputs)
  return { dtype, shape: shape.map((dim, i) => (i === axis ? length(dim) : dim)) }
}

const unary =
  <O extends Op>(op: O): InferenceRule<O> =>
  (_, inputs) => {
    take(op, inputs, 1)
    return float(inputs[0]!.shape)
  }

const binary =
  <O extends Op>(op: O): InferenceRule<O> =>
  (_, inputs) => {
    take(op, inputs, 2)
    return float(broadcast(op, inputs[0]!.shape, inputs[1]!.shape, inputs))
  }

const declaredType =
  <O extends Op>(op: O): InferenceRule<O> =>
  (_, inputs, declared) =>
    declared ?? fail(op, 'a declared type', inputs)

/** The output length of a convolution (torch.nn.Conv1d, dilation 1). */
export const convLength = (time: Dim, kernel: number, { stride, padBefore, padAfter }: Pick<Conv1d, 'stride' | 'padBefore' | 'padAfter'>): Dim =>
  addDims(floorDivDim(addDims(time, padBefore + padAfter - kernel), stride), 1)

const last = (shape: Shape): Dim => shape[shape.length - 1]!

export const inferenceRules: { readonly [O in Op]: InferenceRule<O> } = {
  input: declaredType('input'),
  constant: declaredType('constant'),
  neg: unary('neg'),
  exp: unary('exp'),
  log: unary('log'),
  sqrt: unary('sqrt'),
  reciprocal: unary('reciprocal'),
  erf: unary('erf'),
  sigmoid: unary('sigmoid'),
  softplus: unary('softplus'),
  gelu: unary('gelu'),
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: binary('div'),
  select: (_, inputs) => {
    take('select', inputs, 3, ['bool'])
    const [condition, a, b] = inputs.map((type) => type.shape)
    return float(broadcast('select', condition!, broadcast('select', a!, b!, inputs), inputs))
  },
  matmul: ({ transposeA, transposeB }, inputs) => {
    take('matmul', inputs, 2)
    const [a, b] = inputs.map((type) => type.shape)
    if (a!.length < 2 || b!.length < 2) fail('matmul', 'operands of rank 2 or more', inputs)
    const swap = (shape: Shape, swapped: boolean): [Dim, Dim] => {
      const [rows, columns] = shape.slice(-2)
      return swapped ? [columns!, rows!] : [rows!, columns!]
    }
    const [rows, inner] = swap(a!, transposeA)
    const [innerB, columns] = swap(b!, transposeB)
    if (!sameDim(inner, innerB)) fail('matmul', `equal inner lengths (${formatDim(inner)} and ${formatDim(innerB)})`, inputs)
    return float([...broadcast('matmul', a!.slice(0, -2), b!.slice(0, -2), inputs), rows, columns])
  },
  softmax: unary('softmax'),
  layerNorm: (_, inputs) => {
    take('layerNorm', inputs, 3)
    const width: Shape = [last(inputs[0]!.shape)]
    if (!sameShape(inputs[1]!.shape, width) || !sameShape(inputs[2]!.shape, width)) fail('layerNorm', `weight and bias of ${formatShape(width)}`, inputs)
    return float(inputs[0]!.shape)
  },
  instanceNorm: (_, inputs) => {
    take('instanceNorm', inputs, 3)
    if (inputs[0]!.shape.length !== 3) fail('instanceNorm', 'x of [batch, channels, time]', inputs)
    const channels: Shape = [inputs[0]!.shape[1]!]
    if (!sameShape(inputs[1]!.shape, channels) || !sameShape(inputs[2]!.shape, channels)) fail('instanceNorm', `weight and bias of ${formatShape(channels)}`, inputs)
    return float(inputs[0]!.shape)
  },
  sum: ({ axes }, inputs) => {
    take('sum', inputs, 1)
    if (axes.some((axis) => !(axis >= 0 && axis < inputs[0]!.shape.length))) fail('sum', `axes ${axes.join(', ')} inside the input's rank`, inputs)
    return float(inputs[0]!.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)))
  },
  cumulativeSum: ({ axis }, inputs) => {
    take('cumulativeSum', inputs, 1)
    return withAxis('cumulativeSum', inputs, axis, (dim) => dim)
  },
  reshape: ({ shape }, inputs) => {
    if (inputs.length !== 1 || !sameDim(sizeOf(shape), sizeOf(inputs[0]!.shape))) fail('reshape', `as many elements as ${formatShape(shape)}`, inputs)
    return { dtype: inputs[0]!.dtype, shape }
  },
  transpose: ({ permutation }, inputs) => {
    const [x] = inputs
    if (inputs.length !== 1 || [...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) || permutation.length !== x!.shape.length) {
      fail('transpose', `one input that [${permutation.join(', ')}] permutes`, inputs)
    }
    return { dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) }
  },
  expand: ({ shape }, inputs) => {
    if (inputs.length !== 1 || !sameShape(broadcast('expand', inputs[0]!.shape, shape, inputs), shape)) fail('expand', `one input that broadcasts to ${formatShape(shape)}`, inputs)
    return { dtype: inputs[0]!.dtype, shape }
  },
  slice: ({ axis, start, end }, inputs) => {
    if (inputs.length !== 1) fail('slice', '1 input', inputs)
    const length = subDims(end, start)
    if (typeof length === 'number' && length < 0) fail('slice', `start ${formatDim(start)} before end ${formatDim(end)}`, inputs)
    return withAxis('slice', inputs, axis, (dim) => {
      if (typeof dim === 'number' && typeof end === 'number' && end > dim) fail('slice', `an end of at most ${dim} (found ${end})`, inputs)
      return length
    })
  },
  concat: ({ axis }, inputs) => {
    const [first] = inputs
    const fits = inputs.every((type) => type.dtype === first?.dtype && type.shape.length === first.shape.length && type.shape.every((dim, i) => i === axis || sameDim(dim, first.shape[i]!)))
    if (first === undefined || !fits) fail('concat', `inputs that differ along axis ${axis} only`, inputs)
    return withAxis('concat', inputs, axis, () => addDims(...inputs.map((type) => type.shape[axis]!)))
  },
  pad: ({ axis, before, after }, inputs) => {
    take('pad', inputs, 1)
    return withAxis('pad', inputs, axis, (dim) => addDims(dim, before, after))
  },
  reverse: ({ axis }, inputs) => {
    take('reverse', inputs, 1)
    return withAxis('reverse', inputs, axis, (dim) => dim)
  },
  permuteRows: (_, inputs) => {
    take('permuteRows', inputs, 2, ['float32', 'int32'])
    const [x, index] = inputs
    if (x!.shape.length < 1 || !sameShape(index!.shape, x!.shape.slice(0, 1))) fail('permuteRows', 'one index a row', inputs)
    return x!
  },
  conv1d: (params, inputs) => {
    take('conv1d', inputs, 2)
    const [x, weight] = inputs.map((type) => type.shape)
    const [batch, channels, time] = x!
    const [out, perGroup, kernel] = weight!
    const fits = x!.length === 3 && weight!.length === 3 && typeof kernel === 'number' && typeof perGroup === 'number' && channels === perGroup * params.groups && (out as number) % params.groups === 0
    if (!fits) fail('conv1d', `x: [batch, in, time] and weight: [out, in/${params.groups}, kernel]`, inputs)
    return float([batch!, out!, convLength(time!, kernel as number, params)])
  },
  conv1dInputGradient: (params, inputs) => {
    take('conv1dInputGradient', inputs, 2)
    const [gradient, weight] = inputs.map((type) => type.shape)
    const [out, perGroup, kernel] = weight!
    const fits = gradient!.length === 3 && sameDim(gradient![1]!, out!) && sameDim(gradient![2]!, convLength(params.time, kernel as number, params))
    if (!fits) fail('conv1dInputGradient', `gradient: [batch, out, time'] of a convolution over ${formatDim(params.time)} steps, and its weight`, inputs)
    return float([gradient![0]!, (perGroup as number) * params.groups, params.time])
  },
  conv1dWeightGradient: (params, inputs) => {
    take('conv1dWeightGradient', inputs, 2)
    const [x, gradient] = inputs.map((type) => type.shape)
    const fits = x!.length === 3 && gradient!.length === 3 && sameDim(x![0]!, gradient![0]!) && sameDim(gradient![2]!, convLength(x![2]!, params.kernel, params))
    if (!fits) fail('conv1dWeightGradient', 'x: [batch, in, time] and the gradient of its convolution', inputs)
    return float([gradient![1]!, (x![1] as number) / params.groups, params.kernel])
  },
  causalConv: (_, inputs) => {
    take('causalConv', inputs, 2)
    const [x, weight] = inputs.map((type) => type.shape)
    if (x!.length !== 3 || weight!.length !== 2 || !sameDim(x![2]!, weight![0]!)) fail('causalConv', 'x: [batch, time, channels] and weight: [channels, kernel]', inputs)
    return float(x!)
  },
  attention: ({ heads }, inputs) => {
    take('attention', inputs, inputs.length === 4 ? 4 : 3, ['float32', 'float32', 'float32', 'bool'])
    const [q, k, v, valid] = inputs.map((type) => type.shape)
    const fits = q!.length === 3 && (q![2] as number) % heads === 0 && sameShape(q!, k!) && sameShape(q!, v!) && (valid === undefined || sameShape(valid, q!.slice(0, 2)))
    if (!fits) fail('attention', `q, k, v: [batch, time, ${heads}·N] and maybe valid: [batch, time]`, inputs)
    return float(q!)
  },
  linearAttention: ({ heads, groups }, inputs) => {
    take('linearAttention', inputs, 4)
    const [q, k, v, g] = inputs.map((type) => type.shape)
    const fits =
      sameShape(q!, k!) && q!.length === 3 && v!.length === 3 && sameShape(g!, [q![0]!, q![1]!, heads]) && sameShape(v!.slice(0, 2), q!.slice(0, 2)) &&
      heads % groups === 0 && (q![2] as number) % groups === 0 && (v![2] as number) % heads === 0
    if (!fits) fail('linearAttention', `q, k: [batch, time, ${groups}·N], v: [batch, time, ${heads}·P], g: [batch, time, ${heads}]`, inputs)
    return float(v!)
  },
}
