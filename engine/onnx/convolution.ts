import { addDims, mulDims, type Conv1d, type Dim, type Shape, type Value } from '../ir/index.ts'
import type { Emitter } from './emitter.ts'
import type { Attributes } from './model.ts'

/** Conv's attributes of a convolution over time. */
export const convAttributes = ({ stride, padBefore, padAfter, groups }: Conv1d): Attributes => ({
  strides: { ints: [stride] },
  pads: { ints: [padBefore, padAfter] },
  group: { int: groups },
})

/** [out, in/groups, kernel] to [in, out/groups, kernel] with the kernel read backwards: the weight of the transposed convolution. */
export const flipWeight = (emitter: Emitter, weight: string, [out, perGroup, kernel]: readonly number[], groups: number): string => {
  const flipped = emitter.reverse(weight, 2)
  const grouped = emitter.emit('Reshape', [flipped, emitter.int64s(groups, out! / groups, perGroup!, kernel!)])
  return emitter.emit('Reshape', [emitter.transpose(grouped, [0, 2, 1, 3]), emitter.int64s(groups * perGroup!, out! / groups, kernel!)])
}

/** Σ_batch gradient · unfolded(x)ᵀ, with x unfolded to one row a (tap, channel). */
export const unfoldedWeightGradient = (emitter: Emitter, x: string, gradient: string, xShape: Shape, outTime: Dim, params: Value<'conv1dWeightGradient'>['params']): string => {
  const { kernel, stride, padBefore, padAfter } = params
  const time = addDims(xShape[2]!, padBefore + padAfter)
  const padded = emitter.pad(x, 2, padBefore, padAfter)
  const span = addDims(mulDims(stride, addDims(outTime, -1)), 1)
  const taps = Array.from({ length: kernel }, (_, j) => emitter.slice(padded, 2, time, j, addDims(span, j), stride))
  const unfolded = taps.length === 1 ? taps[0]! : emitter.emit('Concat', taps, { axis: { int: 1 } })
  const perUtterance = emitter.emit('MatMul', [gradient, emitter.transpose(unfolded, [0, 2, 1])])
  const total = emitter.reduceSum(perUtterance, [0], false)
  const channels = xShape[1] as number
  return emitter.transpose(emitter.emit('Reshape', [total, emitter.int64s(-1, kernel, channels)]), [0, 2, 1])
}

/** The weight gradient as a convolution of x with the gradient, batch and channels exchanged, dilated by the stride. */
export const convolvedWeightGradient = (emitter: Emitter, x: string, gradient: string, xShape: Shape, params: Value<'conv1dWeightGradient'>['params']): string => {
  const { kernel, stride, padBefore, padAfter, groups } = params
  const [batch, channels, time] = xShape
  const perGroup = (channels as number) / groups
  const split = emitter.reshape(x, xShape, [batch!, groups, perGroup, time!])
  const swapped = emitter.reshape(emitter.transpose(split, [2, 1, 0, 3]), [perGroup, groups, batch!, time!], [perGroup, mulDims(groups, batch!), time!])
  const result = emitter.emit('Conv', [swapped, emitter.transpose(gradient, [1, 0, 2])], {
    dilations: { ints: [stride] },
    pads: { ints: [padBefore, padAfter] },
    group: { int: groups },
  })
  // With a longer stride the last samples touch no output, and give taps that do not exist.
  return emitter.transpose(stride === 1 ? result : emitter.slice(result, 2, addDims(kernel, stride), 0, kernel), [1, 0, 2])
}
