import { z } from 'zod'
import { wrongField } from '../../checkpoint/index.ts'
import { ConfigError } from '../../errors.ts'
import { studentModelType } from './config.ts'

/** What the authors' hparams.json says of a model, with the values that their code takes where a file has none. */
const hparamsSchema = z.looseObject({
  asr_model_type: z.literal('ctc').default('ctc'),
  asr_vocab_size: z.int().positive().default(32),
  asr_keep_feature_encoder_only: z.literal(false).default(false),
  asr_use_mamba: z.boolean().default(false),
  asr_mamba_use_mamba2: z.boolean().default(true),
  asr_mamba_residual_inside: z.boolean().default(true),
  pad_token_id: z.int().nonnegative().default(0),
  feat_proj_dropout: z.number().default(0.2),
  final_dropout: z.number().default(0),
  hidden_dropout: z.number().default(0.2),
  activation_dropout: z.number().default(0.2),
  mask_time_prob: z.number().default(0.1),
})

/** What every published Wav2Vec2 has, and no tensor shows. */
const published = { kernels: '10,3,3,3,3,2,2', conv_stride: [5, 2, 2, 2, 2, 2, 2], headWidth: 64 }

/** The tokens of their tokenizer. */
export const authorsTokenizer = { tokenizer_class: 'Wav2Vec2CTCTokenizer', pad_token: '[PAD]', unk_token: '[UNK]', word_delimiter_token: '|' }

/**
 * The configuration of an authors' checkpoint, which has no config.json: their hparams say how it was changed, the shapes of its tensors (under
 * canonical names; undefined for one that is not there) how it was made. The frontend's norm tells the two published families apart, and
 * with them the encoder's. ConfigError for what is neither: a config.json beside the checkpoint then says it.
 */
export const authorsConfig = (hparams: unknown, shapeOf: (name: string) => readonly number[] | undefined, path: string): Record<string, unknown> => {
  const parsed = hparamsSchema.safeParse(hparams)
  if (!parsed.success) throw new ConfigError(`${path}: ${wrongField(parsed.error, hparams)}`)
  const values = parsed.data
  const shape = (name: string, axes: number): readonly number[] => {
    const found = shapeOf(`wav2vec2.${name}`)
    if (found?.length !== axes) throw new ConfigError(`${path}: expected tensor ${name} of ${axes} axes, from which a model without config.json is known, found ${found === undefined ? 'none' : `shape [${found.join(', ')}]`}`)
    return found
  }
  const has = (name: string): boolean => shapeOf(`wav2vec2.${name}`) !== undefined
  const numbered = (name: (i: number) => string): number => {
    let i = 0
    while (has(name(i))) i++
    return i
  }
  const convolution = (i: number): string => `feature_extractor.conv_layers.${i}.conv.weight`
  const convolutions = Array.from({ length: numbered(convolution) }, (_, i) => shape(convolution(i), 3))
  const conv_kernel = convolutions.map((lengths) => lengths[2]!)
  if (conv_kernel.join() !== published.kernels) throw new ConfigError(`${path}: expected convolutions with kernels ${published.kernels}, as every published Wav2Vec2 has, found ${conv_kernel.join()}; a config.json beside the weights says what they are`)
  const hidden_size = shape('feature_projection.projection.weight', 2)[0]!
  const position = shape('encoder.pos_conv_embed.conv.parametrizations.weight.original1', 3)
  const layerNorms = has('feature_extractor.conv_layers.1.layer_norm.weight')
  return {
    model_type: values.asr_use_mamba ? studentModelType : 'wav2vec2',
    architectures: [values.asr_use_mamba ? 'CaldWav2Vec2BiMamba2ForCTC' : 'Wav2Vec2ForCTC'],
    vocab_size: values.asr_vocab_size,
    pad_token_id: values.pad_token_id,
    hidden_size,
    num_hidden_layers: numbered((i) => `encoder.layers.${i}.layer_norm.weight`),
    intermediate_size: shape('encoder.layers.0.feed_forward.intermediate_dense.weight', 2)[0],
    feat_extract_norm: layerNorms ? 'layer' : 'group',
    do_stable_layer_norm: layerNorms,
    conv_bias: has('feature_extractor.conv_layers.0.conv.bias'),
    conv_dim: convolutions.map((lengths) => lengths[0]),
    conv_kernel,
    conv_stride: published.conv_stride,
    num_conv_pos_embeddings: position[2],
    num_conv_pos_embedding_groups: hidden_size / position[1]!,
    feat_proj_dropout: values.feat_proj_dropout,
    final_dropout: values.final_dropout,
    hidden_dropout: values.hidden_dropout,
    activation_dropout: values.activation_dropout,
    mask_time_prob: values.mask_time_prob,
    ...(values.asr_use_mamba ? { mixer: mixerOf(values, shape, hidden_size, path) } : { num_attention_heads: hidden_size / published.headWidth }),
  }
}

const mixerOf = (values: z.infer<typeof hparamsSchema>, shape: (name: string, axes: number) => readonly number[], hiddenSize: number, path: string): Record<string, unknown> => {
  if (!values.asr_mamba_use_mamba2) throw new ConfigError(`${path}: asr_mamba_use_mamba2: expected true, found false: mixers of the first Mamba are not supported`)
  const forward = 'encoder.layers.0.attention.fw_mamba.'
  const [heads] = shape(`${forward}A_log`, 1) as [number]
  const [convWidth, , dConv] = shape(`${forward}conv1d.weight`, 3) as [number, number, number]
  return { kind: 'biMamba2', expand: 1, dState: (convWidth - hiddenSize) / 2, dConv, headdim: hiddenSize / heads, ngroups: 1, residualInside: values.asr_mamba_residual_inside }
}
