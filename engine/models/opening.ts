import { openModelFolder, saveModelFolder, type ModelFolder, type TensorSource } from '../checkpoint/index.ts'
import { CheckpointError } from '../errors.ts'
import { initialise } from './initialise.ts'
import { viewOf, type ParameterLayout, type ParameterPlace } from './layout.ts'
import { layoutOf, type SpeechModel } from './speechModel.ts'
import { authorsConfig, authorsTokenizer } from './wav2vec2/authors.ts'
import { parseWav2Vec2Config, studentModelType } from './wav2vec2/config.ts'
import { canonicalNames, otherModule } from './wav2vec2/names.ts'

/** A CTC head for a body that has none: one logit a token, initial weights drawn from the seed. */
export interface NewHead {
  readonly vocabSize: number
  readonly padTokenId: number
  readonly seed: number
  /** vocab.json and tokenizer_config.json that the model then has. */
  readonly vocabulary: unknown
  readonly tokenizer: unknown
}

/** What a model folder holds beside the weights. */
export interface ModelFiles {
  readonly preprocessor: unknown
  readonly vocabulary: unknown
  readonly tokenizer: unknown
}

/** A model folder that was opened: the model, and the folder's other files as they were. */
export interface OpenedModel extends SpeechModel {
  readonly folder: ModelFiles & Pick<ModelFolder, 'path'>
  /** Whether the checkpoint had no CTC head and got a new one. */
  readonly newHead: boolean
  /** Modules of the checkpoint that a CTC model has no place for. */
  readonly leftOut: readonly string[]
  /** What a user should know of how it was read: what was made anew, what was left out. */
  readonly notes: readonly string[]
}

export interface OpenOptions {
  /** Asked for a head only when the checkpoint has none; without it, that is an error. */
  readonly newHead?: (folder: ModelFiles) => Promise<NewHead>
}

/**
 * Opens a checkpoint of the Wav2Vec2 family as a CTC model: HF's Wav2Vec2Model, ForPreTraining, ForCTC and ForSequenceClassification, the
 * authors' checkpoints, and converted students, in any of the formats of `openModelFolder`. Tensors go one by one into the flat vector.
 */
export const openModel = async (path: string, { newHead }: OpenOptions = {}): Promise<OpenedModel> => {
  const folder = await openModelFolder(path)
  const { tensors } = folder
  try {
    const names = canonicalNames(tensors.names(), tensors.path)
    const headless = !names.has('lm_head.weight')
    if (headless && newHead === undefined) throw new CheckpointError(`${tensors.path}: expected a CTC head (lm_head.weight), found a body without one: cald finetune gives it a new one`)
    const [raw, where] = configOf(folder, names)
    const files: ModelFiles = { preprocessor: folder.preprocessor, vocabulary: folder.vocabulary, tokenizer: folder.tokenizer ?? (folder.config === undefined ? authorsTokenizer : undefined) }
    const head = headless ? await newHead!(files) : undefined
    const config = parseWav2Vec2Config(head === undefined ? raw : withHead(raw, head), where)
    const layout = layoutOf(config)
    const plan = match(layout, names, tensors, headless)
    const parameters = new Float32Array(layout.size)
    for (const { place, stored } of plan.found) await tensors.readInto(stored, viewOf(parameters, place))
    initialise(parameters, layout, plan.fresh, head?.seed ?? 0)
    const notes = [
      ...(head === undefined ? [] : [`${path}: the checkpoint has no CTC head; a new one of ${head.vocabSize} outputs begins at random weights (seed ${head.seed})`]),
      ...plan.fresh.filter(({ name }) => !isHead(name)).map(({ name }) => `${path}: the checkpoint has no ${name}; it begins at random values`),
      ...(plan.leftOut.length === 0 ? [] : [`${path}: left out what a CTC model has no place for: ${plan.leftOut.join(', ')}`]),
    ]
    return { config, layout, parameters, folder: { path, ...files, ...(head === undefined ? {} : { vocabulary: head.vocabulary, tokenizer: head.tokenizer }) }, newHead: headless, leftOut: plan.leftOut, notes }
  } finally {
    await tensors.close()
  }
}

const isHead = (name: string): boolean => name.startsWith('lm_head.')

/** The configuration as stored or, for an authors' checkpoint, as its hparams and tensors say; and the file to name in messages about it. */
const configOf = ({ path, config, hparams, tensors }: ModelFolder, names: ReadonlyMap<string, string>): [unknown, string] => {
  if (config !== undefined) return [config, `${path}/config.json`]
  const where = `${path}/hparams.json`
  const shapeOf = (name: string): readonly number[] | undefined => {
    const stored = names.get(name)
    return stored === undefined ? undefined : tensors.shape(stored)
  }
  return [authorsConfig(hparams, shapeOf, where), where]
}

const withHead = (raw: unknown, { vocabSize, padTokenId }: NewHead): unknown => {
  if (typeof raw !== 'object' || raw === null) return raw
  const student = 'model_type' in raw && raw.model_type === studentModelType
  return { ...raw, architectures: [student ? 'CaldWav2Vec2BiMamba2ForCTC' : 'Wav2Vec2ForCTC'], vocab_size: vocabSize, pad_token_id: padTokenId }
}

/** Tensors that checkpoints may lack though HF's model has them (facebook/wav2vec2-base-960h does), or have though it does not use them. */
const optionalTensors = new Set(['wav2vec2.masked_spec_embed'])

interface Plan {
  readonly found: readonly { readonly place: ParameterPlace; readonly stored: string }[]
  /** Parameters that the checkpoint lacks and may lack. */
  readonly fresh: readonly ParameterPlace[]
  /** Modules of other architectures. */
  readonly leftOut: readonly string[]
}

/** Which tensor goes where. CheckpointError names one that is missing, misshapen, or not part of the model, before any memory is taken. */
const match = (layout: ParameterLayout, names: ReadonlyMap<string, string>, tensors: TensorSource, headless: boolean): Plan => {
  const strangers = new Set(names.keys())
  const found: { place: ParameterPlace; stored: string }[] = []
  const fresh: ParameterPlace[] = []
  for (const place of layout.places) {
    const stored = names.get(place.name)
    strangers.delete(place.name)
    if (stored !== undefined) {
      requireShape(place, tensors.shape(stored), tensors.path)
      found.push({ place, stored })
    } else if (optionalTensors.has(place.name) || (headless && isHead(place.name))) fresh.push(place)
    else throw new CheckpointError(`${tensors.path}: expected tensor ${place.name} of shape [${place.shape.join(', ')}], found none`)
  }
  const leftOut = new Set<string>()
  for (const name of strangers) {
    const module = otherModule(name)
    if (module !== undefined) leftOut.add(module)
    else if (!optionalTensors.has(name)) throw new CheckpointError(`${tensors.path}: expected only tensors of the model that config.json describes, found ${names.get(name)!.slice(0, 200)}`)
  }
  return { found, fresh, leftOut: [...leftOut].sort() }
}

const requireShape = (place: ParameterPlace, found: readonly number[], path: string): void => {
  if (found.length !== place.shape.length || found.some((length, axis) => length !== place.shape[axis])) {
    throw new CheckpointError(`${path}: tensor ${place.name}: expected shape [${place.shape.join(', ')}], found [${found.join(', ')}]`)
  }
}

/** Writes a model folder that did not exist, or replaces one; complete or absent. */
export const saveModel = (
  path: string,
  { config, layout, parameters }: SpeechModel,
  { preprocessor, vocabulary, tokenizer }: ModelFiles,
  { replace = false } = {},
): Promise<void> =>
  saveModelFolder(
    path,
    { config, preprocessor, vocabulary, tokenizer, tensors: layout.places.map((place) => ({ name: place.name, shape: place.shape, data: viewOf(parameters, place) })), metadata: { format: 'pt' } },
    { replace },
  )
