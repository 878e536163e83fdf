import { addDims, convLength, mulDims, type Conv1d } from '../ir/index.ts'
import { convAttributes, convolvedWeightGradient, flipWeight, unfoldedWeightGradient } from './convolution.ts'
import type { Emitter } from './emitter.ts'
import type { LoweringRules } from './lower.ts'

/**
 * Conv, whose kernel there is wrong for channels that come in threes but not in fours, more than 3, and go out in fours: a channel of zeros
 * keeps it from being chosen.
 */
const convolve = (emitter: Emitter, x: string, weight: string, [out, perGroup, kernel]: readonly [number, number, number], params: Conv1d): string => {
  const wrong = params.groups === 1 && kernel > 1 && perGroup > 3 && perGroup % 3 === 0 && perGroup % 4 !== 0 && out % 4 === 0
  const one = (value: string): string => (wrong ? emitter.emit('Pad', [value, emitter.int64s(0, 0, 0, 0, 1, 0)]) : value)
  return emitter.emit('Conv', [one(x), one(weight)], convAttributes(params))
}

/**
 * What ONNX Runtime's WebGPU kernels compute wrongly, or leave to the CPU, when lowered as elsewhere. A new rule is needed where
 * device.test.ts fails on that device: it compares every operation with the reference and refuses to run a node on the CPU.
 */
export const webgpuRules: Partial<LoweringRules> = {
  conv1d: (emitter, { params, inputs: [, weightValue] }, [x, weight]) => convolve(emitter, x!, weight!, weightValue!.type.shape as [number, number, number], params),
  // MultiHeadAttention is wrong there by up to 6e-2 from 32 steps on; plain products stand a [time, time] matrix in memory instead.
  attention: (emitter, { params, type, inputs: values }, [q, k, v], precision) => {
    const { heads } = params
    const [batch, time, width] = type.shape
    const channels = (width as number) / heads
    const split = [batch!, time!, heads, channels]
    const perHead = (x: string, value: number, permutation: readonly number[]): string => emitter.transpose(emitter.reshape(x, values[value]!.type.shape, split), permutation)
    const scale = emitter.constant(precision, [1 / Math.sqrt(channels)], [])
    const scores = emitter.emit('MatMul', [emitter.emit('Mul', [perHead(q!, 0, [0, 2, 1, 3]), scale]), perHead(k!, 1, [0, 2, 3, 1])])
    // Its kernel adds up in the type of its input.
    const [wide, back] = precision === 'float16' ? [(x: string) => emitter.cast(x, 'float32'), (x: string) => emitter.cast(x, 'float16')] : [(x: string) => x, (x: string) => x]
    const mixed = emitter.emit('MatMul', [back(emitter.emit('Softmax', [wide(scores)], { axis: { int: -1 } })), perHead(v!, 2, [0, 2, 1, 3])])
    return emitter.reshape(emitter.transpose(mixed, [0, 2, 1, 3]), split, type.shape)
  },
  // As a convolution its channels would be the utterances, of which there may be threes.
  conv1dWeightGradient: (emitter, value, [x, gradient]) => {
    const [xShape, gradientShape] = [value.inputs[0]!.type.shape, value.inputs[1]!.type.shape]
    return value.params.groups === 1
      ? unfoldedWeightGradient(emitter, x!, gradient!, xShape, gradientShape[2]!, value.params)
      : convolvedWeightGradient(emitter, x!, gradient!, xShape, value.params)
  },
  // ConvTranspose with a stride runs on the CPU: a convolution of the gradient with zeros between its steps, by the flipped weight, is the same.
  conv1dInputGradient: (emitter, { params, inputs: [gradientValue, weightValue] }, [gradient, weight]) => {
    const { stride, padBefore, padAfter, groups, time } = params
    const [out, perGroup, kernel] = weightValue!.type.shape as number[]
    const [batch, channels, steps] = gradientValue!.type.shape
    const spread = mulDims(steps!, stride)
    const stretched =
      stride === 1
        ? gradient!
        : emitter.reshape(emitter.pad(emitter.reshape(gradient!, [batch!, channels!, steps!], [batch!, channels!, steps!, 1]), 3, 0, stride - 1), [batch!, channels!, steps!, stride], [batch!, channels!, spread])
    const before = Math.max(0, kernel! - 1 - padBefore)
    const after = Math.max(0, kernel! - 1 - padAfter)
    const all = { stride: 1, padBefore: before, padAfter: after, groups }
    const flipped = flipWeight(emitter, weight!, [out!, perGroup!, kernel!], groups)
    const full = convolve(emitter, stretched, flipped, [groups * perGroup!, out! / groups, kernel!], all)
    const cut = Math.max(0, padBefore - kernel! + 1)
    return emitter.slice(full, 2, convLength(spread, kernel!, all), cut, addDims(cut, time))
  },
}
