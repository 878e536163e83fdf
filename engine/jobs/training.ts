import { readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { readJson, requireEmptyFolder, sha256OfWeights } from '../checkpoint/index.ts'
import { guidanceSchema, trainingSchema, type ClassificationHeadKind, type GuidanceInput, type MixerInput, type OnEvent, type PrecisionName, type TextSettings, type TrainingInput, type TrainingSettings } from '../contract/index.ts'
import { atSpeeds, checkRecordings, manifestHashes, readCorpus, throughChannels, type Utterance } from '../datasets/index.ts'
import { guidanceWays, studentFrom, taskOf, train, type Resume, type Task, type Waypoint, type TrainingRequest, type TrainingResult } from '../distill/index.ts'
import { ConfigError, MissingFileError, reasonOf, UsageError } from '../errors.ts'
import { recipeOf, recipes } from '../recipes/index.ts'
import { describeHead, headOf, openModel, sameHead, type OpenedModel } from '../models/index.ts'
import { choosePrecision } from '../runtime/index.ts'
import { batchesOf, roomToKeep } from './batches.ts'
import { onDevice, openReadyModel, type ComputeSettings, type JobContext } from './context.ts'
import { fromRun, inherited, licencesOf, recordedSource } from './lineage.ts'
import { beginFrom, beginFromScratch, beginLike } from './start.ts'

interface Common extends ComputeSettings {
  /** Manifests (JSONL, CSV) or corpus folders. */
  readonly train: readonly string[]
  readonly dev: readonly string[]
  readonly out: string
  /** Whether to go on from the newest checkpoint in `out`, or from that of which update. */
  readonly resume: Resume
  readonly text: TextSettings
  /** Fields of the manifests that hold the label sets to classify by; by default a model's own task and names. */
  readonly labels?: readonly string[] | undefined
  readonly training: TrainingInput
  /** Float type to compute gradients in; by default what the device does best, and that of the run that is resumed. */
  readonly precision?: PrecisionName | undefined
  /** What run.json is to say of how the settings were chosen. */
  readonly chosen?: Readonly<Record<string, unknown>> | undefined
}

export interface FinetuneSettings extends Common {
  /**
   * A checkpoint to go on from, or a config.json to start from scratch with. `vocabulary` is a vocab.json for a new CTC head: without it
   * that of the checkpoint's folder, else the characters of the training transcripts.
   */
  readonly start: { readonly model: string; readonly vocabulary?: string | undefined } | { readonly config: string; readonly vocabulary: string | undefined }
  /** With `labels`: the head of a new classifier. */
  readonly head?: ClassificationHeadKind | undefined
}

export interface ConvertSettings extends Common {
  readonly teacher: string
  readonly source: string | undefined
  readonly guidance: GuidanceInput
  /** Folder of snapshots for waypoint guidance; default: `waypoints` beside the teacher. */
  readonly waypoints?: string | undefined
  /** The shape of the student's mixers, whose weights are random; 'inherited': that of the attention they replace, with its weights. */
  readonly mixer: MixerInput | 'inherited'
}

export interface TrainingSummary extends TrainingResult {
  readonly out: string
  readonly parameters: number
  readonly seconds: number
}

interface Corpora {
  readonly train: readonly Utterance[]
  readonly dev: readonly Utterance[]
}

const readCorpora = async ({ train, dev }: Pick<Common, 'train' | 'dev'>): Promise<Corpora> => {
  const readAll = async (of: readonly string[]): Promise<Utterance[]> => (await Promise.all(of.map(readCorpus))).flat()
  return { train: await readAll(train), dev: await readAll(dev) }
}

/** Both corpora with every transcript or label there and every recording opened, before anything is written. */
const checked = async ({ train, dev }: Corpora, task: Task, { speeds, channels }: TrainingSettings): Promise<{ train: Utterance[]; dev: readonly Utterance[]; sha256: string[] }> => {
  task.check([...train, ...dev])
  await checkRecordings([...train, ...dev])
  return { train: throughChannels(atSpeeds(train, speeds), channels), dev, sha256: [...(await manifestHashes(train)).values()] }
}

/** UsageError when the recipe that settings were chosen by is for another task than the model. */
const requireRecipeFor = (task: Task, chosen: Common['chosen'], model: string): void => {
  if (typeof chosen?.recipe !== 'string') return
  const { name, task: wanted } = recipeOf(recipes, chosen.recipe)
  const found = task.loss === 'ctc' ? 'recognition' : 'classification'
  if (wanted === found) return
  const others = recipes.filter((recipe) => recipe.task === found).map((recipe) => recipe.name)
  throw new UsageError(`--recipe ${name}: expected a model for ${wanted}, found ${model}, which is for ${found}; recipes for that: ${others.join(', ')}`)
}

/** Settings with their defaults; UsageError says which one holds what. */
const parsed = <Schema extends z.ZodType>(schema: Schema, value: z.input<Schema>): z.output<Schema> => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new UsageError(`${issue!.path.join('.')}: ${issue!.message}`)
}

const run = async (settings: Common, training: TrainingSettings, request: Omit<TrainingRequest, 'device' | 'settings' | 'chosen' | 'out' | 'resume'>, context: JobContext): Promise<TrainingSummary> => {
  const started = performance.now()
  const { out, resume } = settings
  if (resume === false) await requireEmptyFolder(out)
  const asked = settings.precision ?? 'auto'
  const before = resume === false ? undefined : ((await readJson(join(out, 'run.json'))) as { precision?: 'float32' | 'float16'; keptBytes?: number } | undefined)
  const result = await onDevice(settings, (device, state) => {
    const { name, adapter, reason } = state
    // A run goes on as it began; trainers from before there was a choice computed in float32.
    const precision = choosePrecision(asked === 'auto' && before !== undefined ? (before.precision ?? 'float32') : asked, state)
    const computed = { name, ...(adapter === undefined ? {} : { adapter }), ...(reason === '' ? {} : { reason }) }
    const note = { kind: 'note', message: `device ${name}${adapter === undefined ? '' : `, ${adapter}`}${precision === 'float16' ? ', float16' : ''}${reason === '' ? '' : ` (${reason})`}` } as const
    let said = false
    // Said when the run says its first word: bad data are refused in one line before.
    const onEvent: OnEvent = (event) => {
      if (!said) context.onEvent(note)
      said = true
      context.onEvent(event)
    }
    const keptBytes = before === undefined ? roomToKeep(request, training, batchesOf(request, training).largest) : (before.keptBytes ?? 0)
    return train({ ...request, device, precision, keptBytes, settings: training, chosen: { ...settings.chosen, device: computed }, out, resume }, { ...context, onEvent })
  })
  return { ...result, out, parameters: request.student.layout.size, seconds: (performance.now() - started) / 1000 }
}

/** Fine-tunes a transformer (or a student) on its task, from a checkpoint or from scratch. */
export const finetune = async (settings: FinetuneSettings, context: JobContext): Promise<TrainingSummary> => {
  const { start, labels, head, text } = settings
  if (head !== undefined && labels === undefined) throw new UsageError('--head: expected with --labels, found no --labels')
  const training = parsed(trainingSchema, settings.training)
  const opened = 'model' in start ? await openReadyModel(start.model, context.onEvent) : undefined
  if (settings.resume === false) await requireEmptyFolder(settings.out)
  const corpora = await readCorpora(settings)
  const wish = { labels, head, vocabulary: start.vocabulary, text, seed: training.seed }
  const { student, vocabulary, files, audio } =
    opened === undefined ? await beginFromScratch((start as Extract<typeof start, { config: string }>).config, wish, corpora.train) : await beginFrom(opened, wish, corpora.train, context.onEvent)
  const task = taskOf(student.config, { model: 'model' in start ? start.model : start.config, vocabulary, text, fields: labels })
  requireRecipeFor(task, settings.chosen, 'model' in start ? start.model : start.config)
  const data = await checked(corpora, task, training)
  const source = 'model' in start ? { source: fromRun(settings.out, start.model), sourceSha256: await sha256OfWeights(start.model) } : {}
  const licences = opened === undefined ? {} : await licencesOf(opened.model)
  const lineage = { ...source, trainingDataSha256: inherited(data.sha256, opened?.model.config.cald), ...licences }
  return run(settings, training, { student, files, lineage, guidance: undefined, teacher: undefined, source: undefined, waypoints: [], task, audio, train: data.train, dev: data.dev }, context)
}

/** The snapshots of a teacher's training, oldest first: in the folder named, else in that of the run that made the teacher. */
const findWaypoints = async ({ waypoints }: ConvertSettings, model: OpenedModel): Promise<Waypoint[]> => {
  const folder = waypoints ?? join(dirname(resolve(model.folder.path)), 'waypoints')
  const names = await readdir(folder).catch((error: unknown) => {
    throw new MissingFileError(`--waypoint-models: expected a folder of snapshots, ${folder}, found ${reasonOf(error)}`)
  })
  return names
    .filter((name) => /^update-\d+$/.test(name))
    .sort()
    .map((name) => ({ update: Number(name.slice('update-'.length)), path: join(folder, name), open: () => openLike(join(folder, name), model) }))
}

/** A snapshot with the teacher's head, else ConfigError. */
const openLike = async (path: string, { config }: OpenedModel): Promise<OpenedModel> => {
  const model = await openModel(path)
  const [own, wanted] = [headOf(model.config), headOf(config)]
  if (!sameHead(own, wanted)) throw new ConfigError(`${path}: expected ${describeHead(wanted)}, the teacher's, found ${describeHead(own)}`)
  return model
}

/** A conversion with everything opened and checked, before it computes or writes anything. */
export interface PlannedConversion {
  readonly training: TrainingSettings
  readonly request: Omit<TrainingRequest, 'device' | 'settings' | 'chosen' | 'out' | 'resume'>
}

export const planConversion = async (settings: ConvertSettings, context: Pick<JobContext, 'onEvent'>): Promise<PlannedConversion> => {
  const { onEvent } = context
  const teacher = await openReadyModel(settings.teacher, onEvent)
  if (settings.resume === false) await requireEmptyFolder(settings.out)
  const [training, guidance] = [parsed(trainingSchema, settings.training), parsed(guidanceSchema, settings.guidance)]
  if (training.mixerPhase !== undefined && training.mixerPhase.updates >= training.updates) {
    throw new UsageError(`--mixer-updates: expected fewer than all ${training.updates} updates, found ${training.mixerPhase.updates}`)
  }
  const { mixerSwitch } = training
  if (mixerSwitch !== undefined && settings.mixer !== 'inherited') throw new UsageError('--switch-mixers: expected with --inherit-mixers, found mixers of random weights, which have activation, gate and norm')
  if (mixerSwitch !== undefined && mixerSwitch.after + mixerSwitch.over > training.updates) {
    throw new UsageError(`--switch-mixers: expected the switch to be over after all ${training.updates} updates, found it over after ${mixerSwitch.after + mixerSwitch.over}`)
  }
  const fromTeacher = guidanceWays[guidance.guidance].startsFrom === 'teacher'
  const startPath = fromTeacher ? settings.teacher : settings.source ?? (await recordedSource(teacher.model.folder.path, teacher.model.config.cald))
  const start = fromTeacher ? teacher : await openReadyModel(startPath, onEvent)
  const task = taskOf(teacher.model.config, { model: settings.teacher, vocabulary: teacher.vocabulary, text: settings.text, fields: settings.labels })
  requireRecipeFor(task, settings.chosen, settings.teacher)
  const begun = beginLike(start, teacher, training.seed, onEvent)
  const student = studentFrom(begun.student, settings.mixer, training.seed, { switched: mixerSwitch !== undefined })
  const data = await checked(await readCorpora(settings), task, training)
  const lineage = {
    teacher: fromRun(settings.out, settings.teacher),
    teacherSha256: await sha256OfWeights(settings.teacher),
    startSha256: await sha256OfWeights(startPath),
    guidance: guidance.guidance,
    trainingDataSha256: inherited(data.sha256, teacher.model.config.cald, start.model.config.cald),
    ...(await licencesOf(teacher.model, start.model)),
  }
  const waypoints = guidance.guidance === 'waypoint' ? await findWaypoints(settings, teacher.model) : []
  return { training, request: { student, files: begun.files, lineage, guidance, teacher: teacher.model, source: begun.student, waypoints, task, audio: begun.audio, train: data.train, dev: data.dev } }
}

/** Converts a transformer into a BiMamba2 student: attention layers are replaced, everything else kept and fine-tuned. */
export const convert = async (settings: ConvertSettings, context: JobContext): Promise<TrainingSummary> => {
  const { training, request } = await planConversion(settings, context)
  return run(settings, training, request, context)
}
