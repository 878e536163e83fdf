import { openModelFolder, saveModelFolder, type ModelFolder, type TensorFile } from '../checkpoint/index.ts'
import { CheckpointError } from '../errors.ts'
import { input, variable, type Value } from '../ir/index.ts'
import { noDropout, Parameters } from '../nn/index.ts'
import type { Precision } from '../onnx/index.ts'
import { folderCard } from './card.ts'
import { initialise } from './initialise.ts'
import { layOut, viewOf, type ParameterLayout, type ParameterPlace } from './layout.ts'
import { parseWav2Vec2Config, type Wav2Vec2Config } from './wav2vec2/config.ts'
import { configWithHead, headOf, sameHead, type Head } from './wav2vec2/head.ts'
import { head } from './wav2vec2/heads.ts'
import { encoderLayer, frontend, projection } from './wav2vec2/stages.ts'

/** A speech model: its configuration and all its parameters in one flat vector. */
export interface SpeechModel {
  readonly config: Wav2Vec2Config
  readonly layout: ParameterLayout
  readonly parameters: Float32Array
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

/** Both namings of weight norm: torch.nn.utils.parametrizations (ours) and the older torch.nn.utils.weight_norm. */
const olderName = (name: string): string => name.replace('parametrizations.weight.original0', 'weight_g').replace('parametrizations.weight.original1', 'weight_v')

/** A tensor that a checkpoint may hold though its configuration does not use it. */
const optionalTensors = new Set(['wav2vec2.masked_spec_embed'])

/** What a pretrained checkpoint holds for its own training (HF's Wav2Vec2ForPreTraining), and no head of ours uses. */
const pretrainingTensors = /^(quantizer|project_q|project_hid)\./

/** Reads every parameter; CheckpointError names a tensor that is missing, misshapen, or not part of the model. An encoder alone may name its tensors from itself on, as HF's Wav2Vec2Model. */
const readParameters = async ({ layout, headless }: { layout: ParameterLayout; headless: boolean }, tensors: TensorFile): Promise<Float32Array> => {
  const parameters = new Float32Array(layout.size)
  const present = new Set(tensors.names())
  for (const place of layout.places) {
    const names = [place.name, olderName(place.name)]
    const bare = headless ? names.map((own) => own.slice(encoderPrefix.length)) : []
    const name = [...names, ...bare].find((candidate) => present.delete(candidate))
    if (name === undefined) throw new CheckpointError(`${tensors.path}: expected tensor ${place.name} of shape [${place.shape.join(', ')}], found none`)
    checkShape(place, tensors.shape(name), tensors.path)
    viewOf(parameters, place).set(await tensors.read(name))
  }
  const [stranger] = [...present].filter((name) => !optionalTensors.has(name) && !(headless && (name === 'masked_spec_embed' || pretrainingTensors.test(name))))
  if (stranger !== undefined) throw new CheckpointError(`${tensors.path}: expected only tensors of the model that config.json describes, found ${stranger}`)
  return parameters
}

const checkShape = (place: ParameterPlace, found: readonly number[], path: string): void => {
  if (found.length !== place.shape.length || found.some((length, axis) => length !== place.shape[axis])) {
    throw new CheckpointError(`${path}: tensor ${place.name}: expected shape [${place.shape.join(', ')}], found [${found.join(', ')}]`)
  }
}

/** A model folder that was opened: the model, and the folder's other files as they were. */
export interface OpenedModel extends SpeechModel {
  readonly folder: Pick<ModelFolder, 'path' | 'preprocessor' | 'vocabulary' | 'tokenizer'>
}

/** Opens an HF folder of a Wav2Vec2 with one of the heads of wav2vec2/head.ts, or without, or of a converted student. */
export const openModel = async (path: string): Promise<OpenedModel> => {
  const folder = await openModelFolder(path)
  try {
    const config = parseWav2Vec2Config(folder.config, `${path}/config.json`)
    const layout = layoutOf(config)
    const headless = headOf(config).kind === 'none'
    return { config, layout, parameters: await readParameters({ layout, headless }, folder.tensors), folder }
  } finally {
    await folder.tensors.close()
  }
}

/** What a model folder holds beside the weights. */
export interface ModelFiles {
  readonly preprocessor: unknown
  readonly vocabulary: unknown
  readonly tokenizer: unknown
}

interface SaveOptions {
  readonly replace?: boolean
  /** Float type of the weights on disk. */
  readonly precision?: Precision
}

/** Writes a model folder with its card that did not exist, or replaces one (a card that a person wrote stays); complete or absent. */
export const saveModel = (path: string, model: SpeechModel, files: ModelFiles, { replace = false, precision = 'float32' }: SaveOptions = {}): Promise<void> => {
  const { config, layout, parameters } = model
  const { preprocessor, vocabulary, tokenizer } = files
  const tensors = layout.places.map((place) => ({ name: place.name, shape: place.shape, data: viewOf(parameters, place) }))
  const card = (weightsSha256: string): string => folderCard(model, files, { precision, weightsSha256 })
  return saveModelFolder(path, { config, preprocessor, vocabulary, tokenizer, tensors, metadata: { format: 'pt' }, precision, card }, { replace })
}
