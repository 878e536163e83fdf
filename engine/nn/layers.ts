import * as ir from '../ir/index.ts'
import type { Value } from '../ir/index.ts'
import { ones, torchUniform, zeros, type Initial, type Parameters } from './parameters.ts'

/** The last axis, whose length every layer knows. */
const widthOf = (x: Value): number => x.type.shape.at(-1) as number

interface LinearOptions {
  readonly bias?: boolean
  readonly weight?: Initial
  readonly biasInitial?: Initial
}

/** x: [.., in] → [.., out]: x·weightᵀ + bias, as torch.nn.Linear. */
export const linear = (p: Parameters, x: Value, out: number, { bias = true, weight = torchUniform(widthOf(x)), biasInitial = zeros }: LinearOptions = {}): Value => {
  const product = ir.matmul(x, p.get('weight', [out, widthOf(x)], weight), { transposeB: true })
  return bias ? ir.add(product, p.get('bias', [out], biasInitial, { decay: false })) : product
}

/** Layer norm over the last axis, with weight and bias. */
export const layerNorm = (p: Parameters, x: Value, epsilon: number): Value => {
  const shape = [widthOf(x)]
  return ir.layerNorm(x, p.get('weight', shape, ones, { decay: false }), p.get('bias', shape, zeros, { decay: false }), epsilon)
}

/** Layer norm without weight and bias. */
export const normalise = (x: Value, epsilon: number): Value => {
  const shape = [widthOf(x)]
  return ir.layerNorm(x, ir.constant([1], shape), ir.constant([0], shape), epsilon)
}

/** RMS norm with weight over the last axis: x / √(mean square + epsilon) · weight. */
export const rmsNorm = (p: Parameters, x: Value, epsilon: number): Value => {
  const inverse = ir.reciprocal(ir.sqrt(ir.add(ir.meanLast(ir.square(x)), ir.scalar(epsilon))))
  return ir.mul(ir.mul(x, inverse), p.get('weight', [widthOf(x)], ones, { decay: false }))
}

/** x: [batch, in, time] → [batch, out, time'], as torch.nn.Conv1d without padding. */
export const conv1d = (p: Parameters, x: Value, { out, kernel, stride, bias }: { out: number; kernel: number; stride: number; bias: boolean }): Value => {
  const fanIn = (x.type.shape[1] as number) * kernel
  // kaiming_normal_, as Wav2Vec2 starts its feature extractor
  const y = ir.conv1d(x, p.get('weight', [out, x.type.shape[1] as number, kernel], { kind: 'normal', deviation: Math.sqrt(2 / fanIn) }), { stride })
  return bias ? ir.add(y, ir.reshape(p.get('bias', [out], torchUniform(fanIn), { decay: false }), [out, 1])) : y
}

/**
 * Norm of each channel over time with weight and bias, x: [batch, channels, time] → same (torch.nn.GroupNorm of one channel a group).
 * `valid` ([batch, 1, time], 1 or 0) says which frames make the statistics; without it all do.
 */
export const instanceNorm = (p: Parameters, x: Value, epsilon: number, valid?: Value): Value => {
  const channels = x.type.shape[1] as number
  const [weight, bias] = [p.get('weight', [channels], ones, { decay: false }), p.get('bias', [channels], zeros, { decay: false })]
  if (valid === undefined) return ir.instanceNorm(x, weight, bias, epsilon)
  const inverseCount = ir.reciprocal(ir.sum(valid, [2]))
  const mean = (value: Value): Value => ir.mul(ir.sum(ir.mul(value, valid), [2]), inverseCount)
  const perChannel = (value: Value): Value => ir.reshape(value, [channels, 1])
  const centred = ir.sub(x, mean(x))
  const inverse = ir.reciprocal(ir.sqrt(ir.add(mean(ir.square(centred)), ir.scalar(epsilon))))
  return ir.add(ir.mul(centred, ir.mul(inverse, perChannel(weight))), perChannel(bias))
}

/**
 * Wav2Vec2's positional embedding (x: [batch, time, width] → same): a grouped convolution with weight norm over the kernel axis
 * (weight = magnitude · direction / ‖direction‖), same-length padding whose extra frame of even kernels is cut at the end, then GELU.
 */
export const positionalConv = (p: Parameters, x: Value, { kernel, groups }: { kernel: number; groups: number }): Value => {
  const width = widthOf(x)
  const deviation = 2 * Math.sqrt(1 / (kernel * width))
  const magnitude = p.get('parametrizations.weight.original0', [1, 1, kernel], { kind: 'normOf', direction: 'parametrizations.weight.original1' })
  const direction = p.get('parametrizations.weight.original1', [width, width / groups, kernel], { kind: 'normal', deviation })
  const norm = ir.sqrt(ir.sum(ir.square(direction), [0, 1]))
  const weight = ir.mul(direction, ir.div(magnitude, norm))
  const before = Math.floor(kernel / 2)
  const channelsFirst = ir.conv1d(ir.transpose(x, [0, 2, 1]), weight, { padBefore: before, padAfter: kernel - 1 - before, groups })
  return ir.gelu(ir.add(ir.transpose(channelsFirst, [0, 2, 1]), p.get('bias', [width], zeros, { decay: false })))
}
