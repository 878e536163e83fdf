import { input, variable, type Value } from '../ir/index.ts'
import { noDropout, Parameters } from '../nn/index.ts'
import { initialise } from './initialise.ts'
import { layOut, viewOf, type ParameterLayout } from './layout.ts'
import type { StoredParameters } from './stored.ts'
import type { Wav2Vec2Config } from './wav2vec2/config.ts'
import { configWithHead, headOf, sameHead, type Head } from './wav2vec2/head.ts'
import { head } from './wav2vec2/heads.ts'
import { encoderLayer, frontend, projection } from './wav2vec2/stages.ts'

/** A speech model: its configuration and all its parameters in one flat vector. */
export interface SpeechModel {
  readonly config: Wav2Vec2Config
  readonly layout: ParameterLayout
  readonly parameters: Float32Array
}

/** A speech model whose parameters are in files. */
export interface StoredModel extends Omit<SpeechModel, 'parameters'> {
  readonly stored: StoredParameters
}

const context = { dropout: noDropout, padding: undefined }

/** The stages of a model, each with the module that its parameter names start at. */
const stagesOf = (config: Wav2Vec2Config): { stage: string; prefix: string; build: (p: Parameters) => unknown }[] => {
  const batch = variable('batch')
  const time = variable('time')
  const hidden = (width: number): Value => input('x', [batch, time, width])
  return [
    { stage: 'frontend', prefix: 'wav2vec2.feature_extractor.', build: (p) => frontend(p, input('audio', [batch, variable('samples')]), config) },
    { stage: 'projection', prefix: 'wav2vec2.', build: (p) => projection(p, hidden(config.conv_dim.at(-1)!), config, context, { time: undefined, feature: undefined }) },
    ...Array.from({ length: config.num_hidden_layers }, (_, i) => ({
      stage: layerStage(i),
      prefix: `wav2vec2.encoder.layers.${i}.`,
      build: (p: Parameters) => encoderLayer(p, hidden(config.hidden_size), config, context),
    })),
    { stage: 'head', prefix: '', build: (p) => head(p, hidden(config.hidden_size), config, context) },
  ]
}

export const layerStage = (index: number): string => `layers.${index}`

/** Where a stage's parameters live in the module tree, for graphs that name them as checkpoints do. */
export const stageScope = (p: Parameters, stage: 'frontend' | 'projection' | 'head' | number): Parameters => {
  if (stage === 'frontend') return p.at('wav2vec2.feature_extractor')
  if (stage === 'projection') return p.at('wav2vec2')
  return stage === 'head' ? p : p.at(`wav2vec2.encoder.layers.${stage}`)
}

/** The layout of a configuration's parameters, under HF's names and the authors' names for the student's mixers. */
export const layoutOf = (config: Wav2Vec2Config): ParameterLayout =>
  layOut(
    stagesOf(config).map(({ stage, prefix, build }) => {
      const parameters = new Parameters()
      build(parameters)
      return { stage, prefix, parameters }
    }),
  )

/** A model with every parameter at its initial value, drawn from (seed, parameter name). */
export const createModel = (config: Wav2Vec2Config, seed: number): SpeechModel => {
  const layout = layoutOf(config)
  const parameters = new Float32Array(layout.size)
  initialise(parameters, layout, layout.places, seed)
  return { config, layout, parameters }
}

/**
 * A model of a configuration that takes every encoder parameter it can from `start`, and the rest from the seed. Heads are kept only
 * where both configurations have the same one.
 */
export const carriedOver = (start: SpeechModel, config: Wav2Vec2Config, seed: number): SpeechModel => {
  const layout = layoutOf(config)
  const parameters = new Float32Array(layout.size)
  const keepsHead = sameHead(headOf(start.config), headOf(config))
  const known = new Map(start.layout.places.filter(({ name }) => keepsHead || name.startsWith(encoderPrefix)).map((place) => [place.name, place]))
  const fresh = layout.places.filter((place) => {
    const source = known.get(place.name)
    if (source === undefined) return true
    viewOf(parameters, place).set(viewOf(start.parameters, source))
    return false
  })
  initialise(parameters, layout, fresh, seed)
  return { config, layout, parameters }
}

/** The model with another head, whose values are drawn from the seed; the model itself when it has that head. */
export const withHead = (model: SpeechModel, head: Head, seed: number): SpeechModel =>
  sameHead(headOf(model.config), head) ? model : carriedOver(model, configWithHead(model.config, head), seed)

/** The model's configuration with another record of where it came from; label sets, which describe the head, stay. */
export const withLineage = <Model extends SpeechModel>(model: Model, lineage: Readonly<Record<string, unknown>>): Model => {
  const labels = model.config.cald?.labels
  return { ...model, config: { ...model.config, cald: { ...lineage, ...(labels === undefined ? {} : { labels }) } } }
}

/** Where all parameters but the head's live. */
const encoderPrefix = 'wav2vec2.'
