import { z } from 'zod'
import { wrongField } from '../../checkpoint/index.ts'
import { ConfigError } from '../../errors.ts'
import type { BiMamba2Config } from '../../nn/index.ts'
import { headOf } from './head.ts'

/** model_type of a converted model: never `wav2vec2`, which transformers would open with attention of random weights. */
export const studentModelType = 'cald_wav2vec2_bimamba2'

/** Far above every model of the family, and low enough that a hostile configuration fills no memory before its tensors are looked for. */
const most = { width: 65_536, layers: 1024, convolutions: 64 }
const count = z.int().positive().max(most.width)
const probability = z.number().min(0).max(1)

const mixerSchema = z.strictObject({
  kind: z.literal('biMamba2'),
  expand: count,
  dState: count,
  dConv: count,
  headdim: count,
  ngroups: count,
  /** The mixer adds its input to its output (students of the authors that were trained so). */
  residualInside: z.boolean().optional(),
  convActivation: z.enum(['silu', 'none']).optional(),
  gate: z.enum(['silu', 'none']).optional(),
  norm: z.enum(['rms', 'none']).optional(),
  blend: z.boolean().optional(),
})

/** The keys of HF's Wav2Vec2Config that this engine reads, with HF's defaults; other keys travel along untouched. */
const configSchema = z.looseObject({
  model_type: z.enum(['wav2vec2', studentModelType]),
  architectures: z.array(z.string()).nullish(),
  vocab_size: z.int().positive().max(2 ** 20).default(32),
  pad_token_id: z.int().nonnegative().default(0),
  hidden_size: count.default(768),
  num_hidden_layers: count.max(most.layers).default(12),
  num_attention_heads: count.default(12),
  intermediate_size: z.int().positive().max(2 ** 20).default(3072),
  hidden_act: z.literal('gelu').default('gelu'),
  feat_extract_activation: z.literal('gelu').default('gelu'),
  layer_norm_eps: z.number().positive().default(1e-5),
  initializer_range: z.number().positive().default(0.02),
  feat_extract_norm: z.enum(['group', 'layer']).default('group'),
  do_stable_layer_norm: z.boolean().default(false),
  conv_bias: z.boolean().default(false),
  conv_dim: z.array(count).min(1).max(most.convolutions).default([512, 512, 512, 512, 512, 512, 512]),
  conv_kernel: z.array(count).default([10, 3, 3, 3, 3, 2, 2]),
  conv_stride: z.array(count).default([5, 2, 2, 2, 2, 2, 2]),
  num_conv_pos_embeddings: count.default(128),
  num_conv_pos_embedding_groups: count.default(16),
  /** Adapters per language (MMS) are other layers. */
  adapter_attn_dim: z.null().optional(),
  add_adapter: z.literal(false).default(false),
  hidden_dropout: probability.default(0.1),
  activation_dropout: probability.default(0.1),
  attention_dropout: probability.default(0.1),
  feat_proj_dropout: probability.default(0),
  final_dropout: probability.default(0.1),
  layerdrop: probability.optional(),
  mask_time_prob: probability.default(0.05),
  mask_time_length: count.default(10),
  mask_time_min_masks: z.int().nonnegative().default(2),
  mask_feature_prob: probability.default(0),
  mask_feature_length: count.default(10),
  mask_feature_min_masks: z.int().nonnegative().default(0),
  id2label: z.record(z.string(), z.string()).optional(),
  classifier_proj_size: count.optional(),
  use_weighted_layer_sum: z.boolean().optional(),
  problem_type: z.string().nullish(),
  mixer: mixerSchema.optional(),
  cald: z.looseObject({ labels: z.record(z.string(), z.array(z.string())).optional() }).optional(),
})

export type Wav2Vec2Config = z.infer<typeof configSchema>

/** The shape of a student's mixers as its config.json records it. */
export type BiMamba2Mixer = BiMamba2Config & { readonly kind: 'biMamba2' }

/** Reads a config.json; ConfigError says which key holds what, and what this version expects there. */
export const parseWav2Vec2Config = (value: unknown, path: string): Wav2Vec2Config => {
  const config = parseEncoderConfig(value, path)
  requireHead(config, path)
  return config
}

/** ConfigError unless this version has the head that a configuration describes. */
export const requireHead = (config: Wav2Vec2Config, path: string): void => {
  if (headOf(config, path).kind === 'ctc' && config.pad_token_id >= config.vocab_size) {
    throw new ConfigError(`${path}: expected pad_token_id below vocab_size ${config.vocab_size}, found ${config.pad_token_id}`)
  }
}

/** The same of all but the head, which may be one that this version does not have. */
export const parseEncoderConfig = (value: unknown, path: string): Wav2Vec2Config => {
  const parsed = configSchema.safeParse(value)
  if (!parsed.success) throw new ConfigError(`${path}: ${wrongField(parsed.error, value, expectation)}`)
  const config = parsed.data
  const complain = (message: string): never => {
    throw new ConfigError(`${path}: ${message}`)
  }
  const layers = config.conv_dim.length
  if (config.conv_kernel.length !== layers || config.conv_stride.length !== layers) {
    complain(`expected conv_dim, conv_kernel and conv_stride of one length, found ${layers}, ${config.conv_kernel.length} and ${config.conv_stride.length}`)
  }
  if (config.hidden_size % config.num_conv_pos_embedding_groups !== 0) {
    complain(`expected num_conv_pos_embedding_groups to divide hidden_size ${config.hidden_size}, found ${config.num_conv_pos_embedding_groups}`)
  }
  if (config.model_type === 'wav2vec2') {
    if (config.hidden_size % config.num_attention_heads !== 0) complain(`expected num_attention_heads to divide hidden_size ${config.hidden_size}, found ${config.num_attention_heads}`)
    if (config.mixer !== undefined) complain(`expected no mixer in a config of model_type wav2vec2, found one`)
  } else {
    if (config.mixer === undefined) complain(`expected mixer in a config of model_type ${studentModelType}, found none`)
    checkMixer(config.mixer!, config.hidden_size, path)
  }
  return config
}

const expectation = (key: string): string | undefined => {
  if (key === 'model_type') return `expected 'wav2vec2' or '${studentModelType}'`
  return key === 'feat_extract_norm' ? "expected 'group' or 'layer'" : undefined
}

/** ConfigError when heads or groups do not divide what they split. */
export const checkMixer = (mixer: BiMamba2Mixer, hiddenSize: number, where: string): void => {
  const inner = mixer.expand * hiddenSize
  const heads = inner / mixer.headdim
  if (!Number.isInteger(heads)) throw new ConfigError(`${where}: expected mixer.headdim to divide the inner width ${inner}, found ${mixer.headdim}`)
  if (heads % mixer.ngroups !== 0) throw new ConfigError(`${where}: expected mixer.ngroups to divide the ${heads} heads, found ${mixer.ngroups}`)
}

/** Audio samples that one output frame steps over. */
export const samplesPerFrame = ({ conv_stride }: Pick<Wav2Vec2Config, 'conv_stride'>): number => conv_stride.reduce((product, stride) => product * stride, 1)

/** Output frames of the frontend for so many samples (HF `_get_feat_extract_output_lengths`); 0 when the audio is shorter than its receptive field. */
export const frameCount = ({ conv_kernel, conv_stride }: Pick<Wav2Vec2Config, 'conv_kernel' | 'conv_stride'>, samples: number): number =>
  conv_kernel.reduce((length, kernel, i) => Math.max(0, Math.floor((length - kernel) / conv_stride[i]!) + 1), samples)
