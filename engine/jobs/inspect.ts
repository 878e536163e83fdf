import { parsePreprocessor } from '../audio/index.ts'
import { requireFit, Vocabulary } from '../datasets/index.ts'
import { openModel, type ModelFiles, type NewHead } from '../models/index.ts'

export interface ModelSummary {
  readonly model: string
  readonly architecture: string
  readonly mixer: string
  readonly layers: number
  readonly hiddenSize: number
  /** Outputs of the CTC head; null for a body without one. */
  readonly head: number | null
  /** Tokens; null when the folder has no vocab.json. */
  readonly vocabulary: number | null
  readonly samplingRate: number
  readonly parameters: number
  /** Parameters of the frontend, the projection, all mixers, all feed-forward layers and norms, and the head. */
  readonly parametersByPart: Readonly<Record<string, number>>
  /** Modules of the weights file that a CTC model has no place for. */
  readonly leftOut: readonly string[]
  readonly lineage: unknown
}

const partOf = (stage: string, local: string): string => {
  if (!stage.startsWith('layers.')) return stage
  return local.startsWith('attention.') ? 'mixers' : 'feedForwardAndNorms'
}

/** The least head, so that a body can be opened and described without one. */
const placeholder = ({ vocabulary, tokenizer }: ModelFiles): Promise<NewHead> => Promise.resolve({ vocabSize: 1, padTokenId: 0, seed: 0, vocabulary, tokenizer })

/** What a model folder (or a weights file in one) holds; opening it checks every tensor. */
export const inspect = async (path: string): Promise<ModelSummary> => {
  const { config, layout, folder, newHead, leftOut } = await openModel(path, { newHead: placeholder })
  const vocabulary = newHead && folder.vocabulary === undefined ? undefined : Vocabulary.parse(folder.vocabulary, folder.tokenizer, `${path}/vocab.json`)
  if (vocabulary !== undefined && !newHead) requireFit(vocabulary, config.vocab_size, `${path}/vocab.json`)
  const places = layout.places.filter(({ name }) => !(newHead && name.startsWith('lm_head.')))
  const parametersByPart: Record<string, number> = {}
  for (const { stage, local, size } of places) parametersByPart[partOf(stage, local)] = (parametersByPart[partOf(stage, local)] ?? 0) + size
  const { mixer } = config
  return {
    model: path,
    architecture: config.model_type,
    mixer: mixer === undefined ? `attention, ${config.num_attention_heads} heads` : `${mixer.kind}, headdim ${mixer.headdim}, dState ${mixer.dState}, expand ${mixer.expand}${mixer.residualInside === true ? ', residual inside' : ''}`,
    layers: config.num_hidden_layers,
    hiddenSize: config.hidden_size,
    head: newHead ? null : config.vocab_size,
    vocabulary: vocabulary?.size ?? null,
    samplingRate: parsePreprocessor(folder.preprocessor, `${path}/preprocessor_config.json`).sampling_rate,
    parameters: places.reduce((total, { size }) => total + size, 0),
    parametersByPart,
    leftOut,
    lineage: config.cald ?? null,
  }
}
