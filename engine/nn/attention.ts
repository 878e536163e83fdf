import * as ir from '../ir/index.ts'
import type { Value } from '../ir/index.ts'
import { noDropout, type Dropout } from './dropout.ts'
import { linear } from './layers.ts'
import type { Initial, Parameters } from './parameters.ts'

/** What a layer needs to know about a padded batch. Without it every frame is valid (a batch of one, or of equal lengths). */
export interface Padding {
  /** bool [batch, time]. */
  readonly valid: Value
  /** int32 [batch·time]: row of the frame that stands there when each utterance's valid frames are reversed and its padding stays. */
  readonly reversal: Value
}

interface AttentionOptions {
  readonly heads: number
  readonly padding: Padding | undefined
  readonly dropout: Dropout
  readonly dropoutProbability: number
  readonly initial: Initial
}

/** Multi-head self-attention (x: [batch, time, width] → same); padded frames are not attended to. */
export const selfAttention = (p: Parameters, x: Value, options: AttentionOptions): Value => {
  const { heads, padding, dropout, dropoutProbability, initial } = options
  const width = x.type.shape[2] as number
  const project = (name: string, from: Value): Value => linear(p.at(name), from, width, { weight: initial })
  const k = project('k_proj', x)
  const v = project('v_proj', x)
  const q = project('q_proj', x)
  const plain = dropout === noDropout || dropoutProbability === 0
  return project('out_proj', plain ? ir.attention(q, k, v, { heads }, padding?.valid) : attentionWithDropout(q, k, v, options))
}

/** Attention whose weights dropout reaches into. */
const attentionWithDropout = (q: Value, k: Value, v: Value, { heads, padding, dropout, dropoutProbability }: AttentionOptions): Value => {
  const [batch, time, width] = q.type.shape as [ir.Dim, ir.Dim, number]
  const scaled = ir.mul(q, ir.scalar(1 / Math.sqrt(width / heads)))
  const scores = ir.matmul(ir.splitHeads(scaled, heads), ir.splitHeads(k, heads), { transposeB: true })
  const masked = padding === undefined ? scores : ir.select(ir.reshape(padding.valid, [batch, 1, 1, time]), scores, ir.scalar(ir.maskedScore))
  const probabilities = dropout.apply('attentionProbabilities', ir.softmax(masked), dropoutProbability)
  return ir.joinHeads(ir.matmul(probabilities, ir.splitHeads(v, heads)))
}
