import { openModelFolder, requireFloat, saveModelFolder, type ModelFolder, type TensorSource } from '../checkpoint/index.ts'
import { CheckpointError } from '../errors.ts'
import type { Precision } from '../onnx/index.ts'
import { folderCard } from './card.ts'
import { initialise } from './initialise.ts'
import { viewOf, type ParameterLayout, type ParameterPlace } from './layout.ts'
import { layoutOf, type SpeechModel, type StoredModel } from './speechModel.ts'
import { StoredParameters, type StoredPlace } from './stored.ts'
import { authorsConfig, authorsTokenizer } from './wav2vec2/authors.ts'
import { parseEncoderConfig, requireHead, type Wav2Vec2Config } from './wav2vec2/config.ts'
import { configWithHead, describeHead, headOf, labelSetsOf, unknownHead } from './wav2vec2/head.ts'
import { canonicalNames, otherModule } from './wav2vec2/names.ts'

/** What a model folder holds beside the weights. */
export interface ModelFiles {
  readonly preprocessor: unknown
  readonly vocabulary: unknown
  readonly tokenizer: unknown
}

/** What opening a model folder tells, and the folder's other files as they were. */
interface Opened {
  readonly folder: ModelFiles & Pick<ModelFolder, 'path'>
  /** Modules of the checkpoint that the model has no place for. */
  readonly leftOut: readonly string[]
  /** What a user should know of how it was read: what begins anew, what was left out. */
  readonly notes: readonly string[]
}

/** A model folder that was opened, with its parameters. */
export interface OpenedModel extends SpeechModel, Opened {}
/** One whose parameters were left where they are. */
export interface OpenedStoredModel extends StoredModel, Opened {}

/**
 * Opens a checkpoint of the Wav2Vec2 family: HF's, with one of the heads of wav2vec2/head.ts or without, the authors', and converted students, in
 * any of the formats of `openModelFolder`. A head that it lacks, or that is not known here, is none. Tensors go one by one into the flat vector.
 */
export const openModel = (path: string): Promise<OpenedModel> =>
  describing(path, async (opened, plan, tensors) => ({ ...opened, parameters: await readAll(opened.layout, plan, tensors) }))

/**
 * The same, to be run alone (`Inference`): what its products take stays in its files, from where the runtime lays it out, so that weights stand in memory
 * once. Weights that do not stand there as float32 are read.
 */
export const openToRun = (path: string): Promise<OpenedModel | OpenedStoredModel> =>
  describing(path, async (opened, plan, tensors) => {
    const stored = await StoredParameters.of(plan.found, tensors)
    return stored === undefined ? { ...opened, parameters: await readAll(opened.layout, plan, tensors) } : { ...opened, stored }
  })

const readAll = async (layout: ParameterLayout, { found, fresh }: Plan, tensors: TensorSource): Promise<Float32Array> => {
  const parameters = new Float32Array(layout.size)
  for (const { place, stored } of found) await tensors.readInto(stored, viewOf(parameters, place))
  initialise(parameters, layout, fresh, 0)
  return parameters
}

/** Opens a checkpoint, checks it against the model that it describes, and closes it when `take` has what it wants of its tensors. */
const describing = async <T>(path: string, take: (opened: Opened & Omit<SpeechModel, 'parameters'>, plan: Plan, tensors: TensorSource) => Promise<T>): Promise<T> => {
  const folder = await openModelFolder(path)
  const { tensors, preprocessor, vocabulary } = folder
  try {
    const names = canonicalNames(tensors.names(), tensors.path)
    const [config, unknown] = configOf(folder, names)
    const layout = layoutOf(config)
    const plan = match(layout, names, tensors)
    const notes = [
      ...(unknown === undefined ? [] : [`${path}: opened as an encoder alone: ${unknown}`]),
      ...plan.fresh.map(({ name }) => `${path}: the checkpoint has no ${name}; it begins at random values`),
      ...(plan.leftOut.length === 0 ? [] : [`${path}: left out what a model with ${describeHead(headOf(config))} has no place for: ${plan.leftOut.join(', ')}`]),
    ]
    const tokenizer = folder.tokenizer ?? (folder.config === undefined ? authorsTokenizer : undefined)
    return await take({ config, layout, folder: { path: folder.path, preprocessor, vocabulary, tokenizer }, leftOut: plan.leftOut, notes }, plan, tensors)
  } finally {
    await tensors.close()
  }
}

/**
 * The configuration with the head that the checkpoint has, and what was said of a head that is not known here. Labels are config.json's to
 * say; whether there is a CTC head the tensors say, since trainers copy the config.json of the body, and bodies have one without architectures.
 */
const configOf = (folder: ModelFolder, names: ReadonlyMap<string, string>): [Wav2Vec2Config, string | undefined] => {
  const [raw, where] = rawConfigOf(folder, names)
  const described = parseEncoderConfig(raw, where)
  const unknown = unknownHead(described)
  const known = unknown === undefined ? described : configWithHead(described, { kind: 'none' })
  const own = headOf(known, where)
  const kind = names.has('lm_head.weight') ? 'ctc' : 'none'
  const config = own.kind === kind || labelSetsOf(own).length > 0 ? known : configWithHead(known, { kind })
  requireHead(config, where)
  return [config, kind === 'ctc' ? undefined : unknown]
}

/** The configuration as stored or, for an authors' checkpoint, as its hparams and tensors say; and the file to name in messages about it. */
const rawConfigOf = ({ path, config, hparams, tensors }: ModelFolder, names: ReadonlyMap<string, string>): [unknown, string] => {
  if (config !== undefined) return [config, `${path}/config.json`]
  const where = `${path}/hparams.json`
  const shapeOf = (name: string): readonly number[] | undefined => {
    const stored = names.get(name)
    return stored === undefined ? undefined : tensors.shape(stored)
  }
  return [authorsConfig(hparams, shapeOf, where), where]
}

/** Tensors that checkpoints may lack though HF's model has them (facebook/wav2vec2-base-960h does), or have though it does not use them. */
const optionalTensors = new Set(['wav2vec2.masked_spec_embed'])

interface Plan {
  readonly found: readonly StoredPlace[]
  /** Parameters that the checkpoint lacks and may lack. */
  readonly fresh: readonly ParameterPlace[]
  /** Modules of other architectures. */
  readonly leftOut: readonly string[]
}

/** Which tensor goes where. CheckpointError names one that is missing, misshapen, of integers, or not part of the model, before any memory is taken. */
const match = (layout: ParameterLayout, names: ReadonlyMap<string, string>, tensors: TensorSource): Plan => {
  const strangers = new Set(names.keys())
  const found: StoredPlace[] = []
  const fresh: ParameterPlace[] = []
  for (const place of layout.places) {
    const stored = names.get(place.name)
    strangers.delete(place.name)
    if (stored !== undefined) {
      requireShape(place, tensors.shape(stored), tensors.path)
      requireFloat(tensors, stored)
      found.push({ place, stored })
    } else if (optionalTensors.has(place.name)) fresh.push(place)
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
