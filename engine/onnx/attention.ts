import { maskedScore, type Value } from '../ir/index.ts'
import type { Emitter } from './emitter.ts'
import type { Precision } from './precision.ts'

const contrib = { domain: 'com.microsoft' }

/** Products and a softmax over a [time, time] matrix a head, which stands in memory. */
export const plainAttention = (emitter: Emitter, { params: { heads }, type, inputs: values }: Value<'attention'>, inputs: readonly string[], precision: Precision): string => {
  const [q, k, v, valid] = inputs as [string, string, string, string | undefined]
  const [batch, time, width] = type.shape
  const channels = (width as number) / heads
  const split = [batch!, time!, heads, channels]
  const perHead = (x: string, value: number, permutation: readonly number[]): string => emitter.transpose(emitter.reshape(x, values[value]!.type.shape, split), permutation)
  const scale = emitter.constant(precision, [1 / Math.sqrt(channels)], [])
  const products = emitter.emit('MatMul', [emitter.emit('Mul', [perHead(q, 0, [0, 2, 1, 3]), scale]), perHead(k, 1, [0, 2, 3, 1])])
  const scores =
    valid === undefined ? products : emitter.emit('Where', [emitter.reshape(valid, values[3]!.type.shape, [batch!, 1, 1, time!]), products, emitter.constant(precision, [maskedScore], [])])
  // WebGPU's kernel adds up in the type of its input.
  const weights = precision === 'float16' ? emitter.cast(emitter.emit('Softmax', [emitter.cast(scores, 'float32')], { axis: { int: -1 } }), 'float16') : emitter.emit('Softmax', [scores], { axis: { int: -1 } })
  const mixed = emitter.emit('MatMul', [weights, perHead(v, 2, [0, 2, 1, 3])])
  return emitter.reshape(emitter.transpose(mixed, [0, 2, 1, 3]), split, type.shape)
}

/**
 * Tiled over the keys, so that no [time, time] matrix ever stands in memory. The kernel has no such way with a mask, so the mask becomes a channel
 * more of each head: 1 in the queries, the score of a padded key, or 0, in the keys.
 */
export const tiledAttention = (emitter: Emitter, { params: { heads }, type, inputs: values }: Value<'attention'>, inputs: readonly string[], precision: Precision): string => {
  const [q, k, v, valid] = inputs as [string, string, string, string | undefined]
  const attend = (queries: string, keys: string): string => emitter.emit('MultiHeadAttention', [queries, keys, v], { num_heads: { int: heads }, scale: { float: scale } }, contrib)
  const [batch, time, width] = type.shape
  const channels = (width as number) / heads
  const scale = 1 / Math.sqrt(channels)
  if (valid === undefined) return attend(q, k)
  const split = [batch!, time!, heads, channels + 1]
  const widened = (x: string, value: number, channel: string): string =>
    emitter.reshape(emitter.emit('Concat', [emitter.reshape(x, values[value]!.type.shape, [batch!, time!, heads, channels]), channel], { axis: { int: 3 } }), split, [batch!, time!, heads * (channels + 1)])
  const padded = emitter.emit('Sub', [emitter.constant(precision, [1], []), emitter.cast(emitter.reshape(valid, values[3]!.type.shape, [batch!, time!, 1, 1]), precision)])
  const keyChannel = emitter.emit('Expand', [emitter.emit('Mul', [padded, emitter.constant(precision, [maskedScore / scale], [])]), emitter.int64s(1, 1, heads, 1)])
  const queryChannel = emitter.emit('Expand', [emitter.constant(precision, [1], [1, 1, 1, 1]), emitter.lengths([batch!, time!, heads, 1])])
  return attend(widened(q, 0, queryChannel), widened(k, 1, keyChannel))
}
