import * as ir from '../../ir/index.ts'
import type { Value } from '../../ir/index.ts'
import { biMamba2, conv1d, instanceNorm, layerNorm, linear, positionalConv, selfAttention, torchUniform, type Dropout, type Initial, type Padding, type Parameters } from '../../nn/index.ts'
import type { Wav2Vec2Config } from './config.ts'

/**
 * HF's Wav2Vec2 as stages: frontend, projection, encoder layers (the head is in heads.ts); with the group-norm frontend and post-norm encoder (base) or
 * the layer-norm frontend and stable layer norm (large-lv60, XLS-R), and any mix of the two. A stage's parameter scope is the module it
 * starts at, so joined names are HF's.
 */
export interface StageContext {
  readonly dropout: Dropout
  readonly padding: Padding | undefined
}

/** Spans that SpecAugment hides: bool [batch, time, 1] and bool [batch, 1, width], true = hidden. */
export interface SpecAugmentMasks {
  readonly time: Value | undefined
  readonly feature: Value | undefined
}

const normalInitial = (config: Wav2Vec2Config): Initial => ({ kind: 'normal', deviation: config.initializer_range })

/**
 * audio: [batch, samples] → features: [batch, time, conv_dim.at(-1)]. Scope: wav2vec2.feature_extractor.
 * `validFrames` ([batch, 1, frames of the first convolution], 1 or 0) are those a group norm takes its statistics over; all without it.
 */
export const frontend = (p: Parameters, audio: Value, config: Wav2Vec2Config, validFrames?: Value): Value =>
  config.feat_extract_norm === 'layer' ? layerNormFrontend(p, audio, config) : groupNormFrontend(p, audio, config, validFrames)

const convolution = (p: Parameters, x: Value, config: Wav2Vec2Config, i: number): Value =>
  conv1d(p.at('conv'), x, { out: config.conv_dim[i]!, kernel: config.conv_kernel[i]!, stride: config.conv_stride[i]!, bias: config.conv_bias })

const oneChannel = (audio: Value): Value => {
  const [batch, samples] = audio.type.shape as [ir.Dim, ir.Dim]
  return ir.reshape(audio, [batch, 1, samples])
}

const groupNormFrontend = (p: Parameters, audio: Value, config: Wav2Vec2Config, validFrames: Value | undefined): Value => {
  const channelsFirst = config.conv_dim.reduce((x, _, i) => {
    const layer = p.at(`conv_layers.${i}`)
    const y = convolution(layer, x, config, i)
    return ir.gelu(i === 0 ? instanceNorm(layer.at('layer_norm'), y, frontendNormEpsilon, validFrames) : y)
  }, oneChannel(audio))
  return ir.transpose(channelsFirst, [0, 2, 1])
}

const layerNormFrontend = (p: Parameters, audio: Value, config: Wav2Vec2Config): Value =>
  config.conv_dim.reduce<Value>(
    (x, _, i) => {
      const layer = p.at(`conv_layers.${i}`)
      const y = convolution(layer, i === 0 ? x : ir.transpose(x, [0, 2, 1]), config, i)
      return ir.gelu(layerNorm(layer.at('layer_norm'), ir.transpose(y, [0, 2, 1]), frontendNormEpsilon))
    },
    oneChannel(audio),
  )

/** torch.nn's default, which HF's frontend uses whatever layer_norm_eps says. */
const frontendNormEpsilon = 1e-5

/** features: [batch, time, channels] → input of the first encoder layer: [batch, time, hidden_size]. Scope: wav2vec2. */
export const projection = (p: Parameters, features: Value, config: Wav2Vec2Config, { dropout, padding }: StageContext, masks: SpecAugmentMasks): Value => {
  const [batch, time, channels] = features.type.shape as [ir.Dim, ir.Dim, number]
  const scope = p.at('feature_projection')
  const initial = torchUniform(channels)
  const projected = linear(scope.at('projection'), layerNorm(scope.at('layer_norm'), features, config.layer_norm_eps), config.hidden_size, { weight: initial, biasInitial: initial })
  let x = dropout.apply('featureProjection', projected, config.feat_proj_dropout)
  if (hasMaskEmbedding(config)) {
    const embedding = p.get('masked_spec_embed', [config.hidden_size], { kind: 'uniform', low: 0, high: 1 }, { decay: false })
    if (masks.time !== undefined) x = ir.select(masks.time, embedding, x)
  }
  if (masks.feature !== undefined) x = ir.select(masks.feature, ir.scalar(0), x)
  if (padding !== undefined) x = ir.select(ir.reshape(padding.valid, [batch, time, 1]), x, ir.scalar(0))
  const position = positionalConv(p.at('encoder.pos_conv_embed.conv'), x, { kernel: config.num_conv_pos_embeddings, groups: config.num_conv_pos_embedding_groups })
  const positioned = ir.add(x, position)
  const y = config.do_stable_layer_norm ? positioned : layerNorm(p.at('encoder.layer_norm'), positioned, config.layer_norm_eps)
  return dropout.apply('encoder', y, config.hidden_dropout)
}

/** HF makes masked_spec_embed exactly for configs that may use it. */
const hasMaskEmbedding = (config: Wav2Vec2Config): boolean => config.mask_time_prob > 0 || config.mask_feature_prob > 0

/**
 * What an encoder layer's mixer, attention or the student's, makes of the layer's input: [batch, time, hidden_size] → same, before its
 * dropout and residual. Scope: as encoderLayer.
 */
export const mixerOutput = (p: Parameters, x: Value, config: Wav2Vec2Config, { dropout, padding }: StageContext): Value => {
  const value = config.do_stable_layer_norm ? layerNorm(p.at('layer_norm'), x, config.layer_norm_eps) : x
  return config.mixer === undefined
    ? selfAttention(p.at('attention'), value, { heads: config.num_attention_heads, padding, dropout, dropoutProbability: config.attention_dropout, initial: normalInitial(config) })
    : biMamba2(p.at('attention'), value, config.mixer, padding)
}

/**
 * One encoder layer, x: [batch, time, hidden_size] → same; its mixer is attention or the student's. The norms lie before mixer and
 * feed-forward (stable layer norm) or behind their residuals. Scope: wav2vec2.encoder.layers.{i}.
 */
export const encoderLayer = (p: Parameters, x: Value, config: Wav2Vec2Config, context: StageContext): Value => {
  const { dropout } = context
  const weight = normalInitial(config)
  const norm = (name: string, value: Value): Value => layerNorm(p.at(name), value, config.layer_norm_eps)
  const feedForward = (value: Value): Value => {
    const scope = p.at('feed_forward')
    const inner = ir.gelu(linear(scope.at('intermediate_dense'), value, config.intermediate_size, { weight }))
    const outer = linear(scope.at('output_dense'), dropout.apply('activation', inner, config.activation_dropout), config.hidden_size, { weight })
    return dropout.apply('feedForward', outer, config.hidden_dropout)
  }
  const mixed = ir.add(x, dropout.apply('attention', mixerOutput(p, x, config, context), config.hidden_dropout))
  if (config.do_stable_layer_norm) {
    return ir.add(mixed, feedForward(norm('final_layer_norm', mixed)))
  }
  const y = norm('layer_norm', mixed)
  return norm('final_layer_norm', ir.add(y, feedForward(y)))
}
