import * as ir from '../../ir/index.ts'
import type { Value } from '../../ir/index.ts'
import { biMamba2, conv1d, layerNorm, linear, positionalConv, selfAttention, torchUniform, type Dropout, type Initial, type Padding, type Parameters } from '../../nn/index.ts'
import type { Wav2Vec2Config } from './config.ts'

/**
 * Wav2Vec2 with the layer-norm frontend and stable layer norm (HF Wav2Vec2ForCTC, large-lv60 family) as stages: frontend, projection,
 * encoder layers, head. A stage's parameter scope is the module it starts at, so joined names are HF's.
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

/** audio: [batch, samples] → features: [batch, time, conv_dim.at(-1)]. Scope: wav2vec2.feature_extractor. */
export const frontend = (p: Parameters, audio: Value, config: Wav2Vec2Config): Value => {
  const [batch, samples] = audio.type.shape as [ir.Dim, ir.Dim]
  return config.conv_dim.reduce<Value>(
    (x, out, i) => {
      const layer = p.at(`conv_layers.${i}`)
      const channelsFirst = i === 0 ? x : ir.transpose(x, [0, 2, 1])
      const y = conv1d(layer.at('conv'), channelsFirst, { out, kernel: config.conv_kernel[i]!, stride: config.conv_stride[i]!, bias: config.conv_bias })
      return ir.gelu(layerNorm(layer.at('layer_norm'), ir.transpose(y, [0, 2, 1]), frontendNormEpsilon))
    },
    ir.reshape(audio, [batch, 1, samples]),
  )
}

/** torch.nn.LayerNorm's default, which HF's frontend uses whatever layer_norm_eps says. */
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
  return dropout.apply('encoder', ir.add(x, position), config.hidden_dropout)
}

/** HF makes masked_spec_embed exactly for configs that may use it. */
const hasMaskEmbedding = (config: Wav2Vec2Config): boolean => config.mask_time_prob > 0 || config.mask_feature_prob > 0

/** One pre-norm encoder layer, x: [batch, time, hidden_size] → same; its mixer is attention or the student's. Scope: wav2vec2.encoder.layers.{i}. */
export const encoderLayer = (p: Parameters, x: Value, config: Wav2Vec2Config, { dropout, padding }: StageContext): Value => {
  const weight = normalInitial(config)
  const normed = layerNorm(p.at('layer_norm'), x, config.layer_norm_eps)
  const mixed =
    config.mixer === undefined
      ? selfAttention(p.at('attention'), normed, { heads: config.num_attention_heads, padding, dropout, dropoutProbability: config.attention_dropout, initial: weight })
      : biMamba2(p.at('attention'), normed, config.mixer, padding)
  const y = ir.add(x, dropout.apply('attention', mixed, config.hidden_dropout))
  const feedForward = p.at('feed_forward')
  const inner = ir.gelu(linear(feedForward.at('intermediate_dense'), layerNorm(p.at('final_layer_norm'), y, config.layer_norm_eps), config.intermediate_size, { weight }))
  const outer = linear(feedForward.at('output_dense'), dropout.apply('activation', inner, config.activation_dropout), config.hidden_size, { weight })
  return ir.add(y, dropout.apply('feedForward', outer, config.hidden_dropout))
}

/** The final layer norm and the CTC head: x: [batch, time, hidden_size] → last hidden state and logits [batch, time, vocab_size]. Scope: the model. */
export const head = (p: Parameters, x: Value, config: Wav2Vec2Config, { dropout }: Pick<StageContext, 'dropout'>): { hidden: Value; logits: Value } => {
  const hidden = layerNorm(p.at('wav2vec2.encoder.layer_norm'), x, config.layer_norm_eps)
  const logits = linear(p.at('lm_head'), dropout.apply('final', hidden, config.final_dropout), config.vocab_size, { weight: normalInitial(config) })
  return { hidden, logits }
}
