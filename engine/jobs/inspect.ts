import { describeHead, headOf, labelSetsOf } from '../models/index.ts'
import type { OnEvent } from '../contract/index.ts'
import { openReadyModel } from './context.ts'

export interface ModelSummary {
  readonly model: string
  readonly architecture: string
  readonly mixer: string
  readonly layers: number
  readonly hiddenSize: number
  /** `no head` for an encoder alone. */
  readonly head: string
  /** Tokens of a CTC head; 0 where there is none. */
  readonly vocabulary: number
  /** Label sets of a classifier. */
  readonly labels: Readonly<Record<string, readonly string[]>>
  readonly samplingRate: number
  readonly parameters: number
  /** Parameters of the frontend, the projection, all mixers, all feed-forward layers and norms, and the head. */
  readonly parametersByPart: Readonly<Record<string, number>>
  /** Modules of the weights file that the model has no place for. */
  readonly leftOut: readonly string[]
  readonly lineage: unknown
}

const partOf = (stage: string, local: string): string => {
  if (!stage.startsWith('layers.')) return stage
  return local.startsWith('attention.') ? 'mixers' : 'feedForwardAndNorms'
}

/** What a model folder (or a weights file in one) holds; opening it checks every tensor. */
export const inspect = async (path: string, onEvent?: OnEvent): Promise<ModelSummary> => {
  const { model, vocabulary, audio } = await openReadyModel(path, onEvent)
  const { config, layout, leftOut } = model
  const parametersByPart: Record<string, number> = {}
  for (const { stage, local, size } of layout.places) parametersByPart[partOf(stage, local)] = (parametersByPart[partOf(stage, local)] ?? 0) + size
  const { mixer } = config
  return {
    model: path,
    architecture: config.model_type,
    mixer: mixer === undefined ? `attention, ${config.num_attention_heads} heads` : `${mixer.kind}, headdim ${mixer.headdim}, dState ${mixer.dState}, expand ${mixer.expand}${mixer.residualInside === true ? ', residual inside' : ''}`,
    layers: config.num_hidden_layers,
    hiddenSize: config.hidden_size,
    head: describeHead(headOf(config)),
    vocabulary: vocabulary?.size ?? 0,
    labels: Object.fromEntries(labelSetsOf(headOf(config)).map(({ name, labels }) => [name, labels])),
    samplingRate: audio.samplingRate,
    parameters: layout.size,
    parametersByPart,
    leftOut,
    lineage: config.cald ?? null,
  }
}
