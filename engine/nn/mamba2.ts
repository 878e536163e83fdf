import * as ir from '../ir/index.ts'
import type { Value } from '../ir/index.ts'
import type { Padding } from './attention.ts'
import { linear, rmsNorm } from './layers.ts'
import { ones, torchUniform, type Parameters } from './parameters.ts'

/** Shape of a Mamba2 mixer; the inner width is expand · width, split into heads of headdim. */
export interface Mamba2Config {
  readonly expand: number
  readonly dState: number
  readonly dConv: number
  readonly headdim: number
  readonly ngroups: number
  /** Behind the convolution; 'silu' in Mamba2. */
  readonly convActivation?: 'silu' | 'none' | undefined
  /** Of the scan's output by a projection z of the input; 'silu' in Mamba2. */
  readonly gate?: 'silu' | 'none' | undefined
  /** Before out_proj; 'rms' in Mamba2. */
  readonly norm?: 'rms' | 'none' | undefined
  /** Whether activation, gate and norm count by a share of their own, the parameter `blend` (0: not at all, 1: as in Mamba2), that a run raises. */
  readonly blend?: boolean | undefined
}

const normEpsilon = 1e-5

/**
 * The Mamba2 mixer (Dao & Gu 2024, section 7; x: [batch, time, width] → same), causal in time:
 * [z, x, B, C, Δ] = in_proj(x); x, B, C through a causal convolution and SiLU; S_t = exp(ΔA)·S_{t−1} + B_t (Δx)_tᵀ, y_t = C_tᵀ S_t + D·x_t;
 * out_proj(RMSNorm(y·silu(z))). Without a gate, in_proj has no rows for z. With `blend`, each f of activation, gate and norm is x + blend·(f(x) − x).
 */
export const mamba2 = (p: Parameters, x: Value, { expand, dState, dConv, headdim, ngroups, convActivation = 'silu', gate = 'silu', norm = 'rms', blend = false }: Mamba2Config): Value => {
  const [batch, time, width] = x.type.shape as [ir.Dim, ir.Dim, number]
  const inner = expand * width
  const heads = inner / headdim
  const stateWidth = ngroups * dState
  const convWidth = inner + 2 * stateWidth

  const gateWidth = gate === 'none' ? 0 : inner
  const share = blend ? p.get('blend', [1], ones, { decay: false, trained: false }) : undefined
  const towards = (value: Value, full: Value): Value => (share === undefined ? full : ir.add(value, ir.mul(share, ir.sub(full, value))))

  const projected = linear(p.at('in_proj'), x, gateWidth + convWidth + heads, { bias: false })
  const part = (from: Value, start: number, length: number): Value => ir.slice(from, 2, start, start + length)
  const step = part(projected, gateWidth + convWidth, heads)

  const conv = p.at('conv1d')
  const kernel = ir.reshape(conv.get('weight', [convWidth, 1, dConv], torchUniform(dConv)), [convWidth, dConv])
  const filtered = ir.add(ir.causalConv(part(projected, gateWidth, convWidth), kernel), conv.get('bias', [convWidth], torchUniform(dConv), { decay: false }))
  const convolved = convActivation === 'none' ? filtered : towards(filtered, ir.silu(filtered))
  const u = part(convolved, 0, inner)
  const b = part(convolved, inner, stateWidth)
  const c = part(convolved, inner + stateWidth, stateWidth)

  const still = { decay: false }
  const stepBias = p.get('dt_bias', [heads], { kind: 'inverseSoftplusOfExpUniform', low: 0.001, high: 0.1, floor: 1e-4 }, still)
  const delta = ir.softplus(ir.add(step, stepBias))
  const a = ir.neg(ir.exp(p.get('A_log', [heads], { kind: 'logOfUniform', low: 1, high: 16 }, still)))
  const perHead = (value: Value): Value => ir.reshape(value, [batch, time, heads, headdim])
  const v = ir.mul(perHead(u), ir.reshape(delta, [batch, time, heads, 1]))
  const y = ir.linearAttention(c, b, ir.reshape(v, [batch, time, inner]), ir.mul(delta, a), { heads, groups: ngroups })
  const skip = ir.mul(perHead(u), ir.reshape(p.get('D', [heads], ones, still), [heads, 1]))
  const mixed = ir.add(y, ir.reshape(skip, [batch, time, inner]))
  const gated = gate === 'none' ? mixed : towards(mixed, ir.mul(mixed, ir.silu(part(projected, 0, inner))))
  const normed = norm === 'none' ? gated : towards(gated, rmsNorm(p.at('norm'), gated, normEpsilon))
  return linear(p.at('out_proj'), normed, width, { bias: false })
}

/** Two mixers, one in each direction; with `residualInside` their input is added to what they give. */
export type BiMamba2Config = Mamba2Config & { readonly residualInside?: boolean | undefined }

/**
 * fw_mamba(x) + rev(bw_mamba(rev(x))), and x itself with `residualInside`; zero on padding. Reversal stays inside each utterance, so padding trails in both scans
 * and reaches no valid frame.
 */
export const biMamba2 = (p: Parameters, x: Value, config: BiMamba2Config, padding: Padding | undefined): Value => {
  const [batch, time] = x.type.shape as [ir.Dim, ir.Dim]
  const reversed = (value: Value): Value =>
    padding === undefined ? ir.reverse(value, 1) : ir.reshape(ir.permuteRows(ir.asRows(value), padding.reversal), value.type.shape)
  const both = ir.add(mamba2(p.at('fw_mamba'), x, config), reversed(mamba2(p.at('bw_mamba'), reversed(x), config)))
  const mixed = config.residualInside === true ? ir.add(x, both) : both
  return padding === undefined ? mixed : ir.select(ir.reshape(padding.valid, [batch, time, 1]), mixed, ir.scalar(0))
}
