import * as ir from '../ir/index.ts'
import type { Value } from '../ir/index.ts'
import type { Dropout } from './dropout.ts'
import { linear } from './layers.ts'
import type { Initial, Parameters } from './parameters.ts'

/** What a layer needs to know about a padded batch. Without it every frame is valid (a batch of one, or of equal lengths). */
export interface Padding {
  /** bool [batch, time]. */
  readonly valid: Value
  /** int32 [batch·time]: row of the frame that stands there when each utterance's valid frames are reversed and its padding stays. */
  readonly reversal: Value
}

/** Padded frames score so low that their weight underflows to zero, without the NaN of −∞ in a row of padding alone. */
const maskedScore = -1e9

/** Multi-head self-attention (x: [batch, time, width] → same); padded frames are not attended to. */
export const selfAttention = (
  p: Parameters,
  x: Value,
  { heads, padding, dropout, dropoutProbability, initial }: { heads: number; padding: Padding | undefined; dropout: Dropout; dropoutProbability: number; initial: Initial },
): Value => {
  const [batch, time, width] = x.type.shape as [ir.Dim, ir.Dim, number]
  const project = (name: string, from: Value): Value => linear(p.at(name), from, width, { weight: initial })
  // [batch, heads, time, headSize]
  const split = (name: string): Value => ir.transpose(ir.reshape(project(name, x), [batch, time, heads, width / heads]), [0, 2, 1, 3])
  const k = split('k_proj')
  const v = split('v_proj')
  const q = split('q_proj')
  const scores = ir.matmul(ir.mul(q, ir.scalar(1 / Math.sqrt(width / heads))), k, { transposeB: true })
  const masked = padding === undefined ? scores : ir.select(ir.reshape(padding.valid, [batch, 1, 1, time]), scores, ir.scalar(maskedScore))
  const probabilities = dropout.apply('attentionProbabilities', ir.softmax(masked), dropoutProbability)
  const mixed = ir.transpose(ir.matmul(probabilities, v), [0, 2, 1, 3])
  return project('out_proj', ir.reshape(mixed, [batch, time, width]))
}
