import { readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { parsePreprocessor } from '../audio/index.ts'
import { readJson, requireEmptyFolder, sha256OfFile } from '../checkpoint/index.ts'
import { guidanceSchema, trainingSchema, type GuidanceInput, type MixerInput, type TextSettings, type TrainingInput, type TrainingSettings } from '../contract/index.ts'
import { atSpeeds, throughChannels, checkRecordings, readCorpus, requireFit, requireTexts, Vocabulary, type Utterance } from '../datasets/index.ts'
import { guidanceWays, studentFrom, train, type Resume, type Waypoint, type TrainingRequest, type TrainingResult } from '../distill/index.ts'
import { ConfigError, messageOf, MissingFileError, UsageError } from '../errors.ts'
import { createModel, openModel, parseWav2Vec2Config, type SpeechModel } from '../models/index.ts'
import { onDevice, openReadyModel, type ComputeSettings, type JobContext, type ReadyModel } from './context.ts'
import { fromRun, inherited, licencesOf, recordedSource, weightsOf } from './lineage.ts'

interface Common extends ComputeSettings {
  /** Manifests or corpus folders. */
  readonly train: readonly string[]
  readonly dev: readonly string[]
  readonly out: string
  /** Whether to go on from the newest checkpoint in `out`, or from that of which update. */
  readonly resume: Resume
  readonly text: TextSettings
  readonly training: TrainingInput
}

export interface FinetuneSettings extends Common {
  /** A model folder to go on from, or a config.json to start from scratch with. */
  readonly start: { readonly model: string } | { readonly config: string; readonly vocabulary: string | undefined }
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

/** Both corpora, every transcript spelt and every recording opened, before anything is written. */
const readCorpora = async (paths: Common, { speeds, channels }: TrainingSettings): Promise<{ train: Utterance[]; dev: Utterance[]; sha256: string[] }> => {
  const readAll = async (of: readonly string[]): Promise<Utterance[]> => (await Promise.all(of.map(readCorpus))).flat()
  const [train, dev] = [await readAll(paths.train), await readAll(paths.dev)]
  requireTexts([...train, ...dev])
  await checkRecordings([...train, ...dev])
  const manifests = [...new Set(train.map(({ manifest }) => manifest))]
  return { train: throughChannels(atSpeeds(train, speeds), channels), dev, sha256: await Promise.all(manifests.map(sha256OfFile)) }
}

/** Settings with their defaults; UsageError says which one holds what. */
const parsed = <Schema extends z.ZodType>(schema: Schema, value: z.input<Schema>): z.output<Schema> => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new UsageError(`${issue!.path.join('.')}: ${issue!.message}`)
}

const run = async (settings: Common, training: TrainingSettings, request: Omit<TrainingRequest, 'device' | 'settings' | 'text' | 'out' | 'resume'>, context: JobContext): Promise<TrainingSummary> => {
  const started = performance.now()
  const { out, resume, text } = settings
  if (resume === false) await requireEmptyFolder(out)
  const result = await onDevice(settings, (device) => train({ ...request, device, settings: training, text, out, resume }, context))
  return { ...result, out, parameters: request.student.layout.size, seconds: (performance.now() - started) / 1000 }
}

const preprocessorFromScratch = {
  feature_extractor_type: 'Wav2Vec2FeatureExtractor',
  feature_size: 1,
  sampling_rate: 16000,
  padding_value: 0,
  do_normalize: true,
  return_attention_mask: true,
}
const tokenizerFromScratch = {
  tokenizer_class: 'Wav2Vec2CTCTokenizer',
  pad_token: '<pad>',
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  word_delimiter_token: '|',
  do_lower_case: false,
}

/** A model of random weights for a config.json, with a vocabulary that was given or that the training transcripts spell. */
const fromScratch = async (
  { config: path, vocabulary: vocabularyPath }: { config: string; vocabulary: string | undefined },
  { text, training }: FinetuneSettings,
  corpus: readonly Utterance[],
): Promise<{ student: SpeechModel; vocabulary: Vocabulary; files: TrainingRequest['files'] }> => {
  const raw = await readJson(path)
  if (raw === undefined) throw new MissingFileError(`${path}: expected a config.json, found none`)
  if (typeof raw !== 'object' || raw === null) throw new ConfigError(`${path}: expected a JSON object`)
  const vocabulary =
    vocabularyPath === undefined
      ? Vocabulary.fromTexts(corpus.map((utterance) => utterance.text!), text.case === 'auto' ? 'keep' : text.case)
      : Vocabulary.parse(await readJson(vocabularyPath), tokenizerFromScratch, vocabularyPath)
  const config = parseWav2Vec2Config({ architectures: ['Wav2Vec2ForCTC'], vocab_size: vocabulary.size, pad_token_id: vocabulary.blank, ...raw }, path)
  requireFit(vocabulary, config.vocab_size, vocabularyPath ?? 'the vocabulary of the transcripts')
  if (config.pad_token_id !== vocabulary.blank) throw new ConfigError(`${path}: expected pad_token_id ${vocabulary.blank}, the vocabulary's, found ${config.pad_token_id}`)
  return {
    student: createModel(config, training.seed),
    vocabulary,
    files: { preprocessor: preprocessorFromScratch, vocabulary: vocabulary.toJSON(), tokenizer: tokenizerFromScratch },
  }
}

/** Fine-tunes a transformer (or a student) on CTC, from a checkpoint or from scratch. */
export const finetune = async (settings: FinetuneSettings, context: JobContext): Promise<TrainingSummary> => {
  const { start } = settings
  const training = parsed(trainingSchema, settings.training)
  const opened = 'model' in start ? await openReadyModel(start.model) : undefined
  if (settings.resume === false) await requireEmptyFolder(settings.out)
  const corpora = await readCorpora(settings, training)
  const { student, vocabulary, files } = opened === undefined ? await fromScratch(start as Extract<typeof start, { config: string }>, settings, corpora.train) : existing(opened)
  const audio = opened?.audio ?? audioOf(files.preprocessor)
  const source = 'model' in start ? { source: fromRun(settings.out, start.model), sourceSha256: await sha256OfFile(weightsOf(start.model)) } : {}
  const licences = 'model' in start ? await licencesOf({ path: start.model, cald: opened?.model.config.cald }) : {}
  const lineage = { ...source, trainingDataSha256: inherited(corpora.sha256, opened?.model.config.cald), ...licences }
  return run(settings, training, { student, files, lineage, guidance: undefined, teacher: undefined, source: undefined, waypoints: [], vocabulary, audio, train: corpora.train, dev: corpora.dev }, context)
}

const audioOf = (preprocessor: unknown): ReadyModel['audio'] => {
  const { sampling_rate, do_normalize } = parsePreprocessor(preprocessor, 'preprocessor_config.json')
  return { samplingRate: sampling_rate, normalise: do_normalize }
}

const existing = ({ model, vocabulary }: ReadyModel): { student: SpeechModel; vocabulary: Vocabulary; files: TrainingRequest['files'] } => ({ student: model, vocabulary, files: model.folder })

/** The snapshots of a teacher's training, oldest first: in the folder named, else in that of the run that made the teacher. */
const findWaypoints = async ({ teacher, waypoints }: ConvertSettings): Promise<Waypoint[]> => {
  const folder = waypoints ?? join(dirname(resolve(teacher)), 'waypoints')
  const names = await readdir(folder).catch((error: unknown) => {
    throw new MissingFileError(`--waypoint-models: expected a folder of snapshots, ${folder}, found ${messageOf(error)}`)
  })
  return names
    .filter((name) => /^update-\d+$/.test(name))
    .sort()
    .map((name) => ({ update: Number(name.slice('update-'.length)), path: join(folder, name), open: () => openModel(join(folder, name)) }))
}

/** Converts a transformer into a BiMamba2 student: attention layers are replaced, everything else kept and fine-tuned. */
export const convert = async (settings: ConvertSettings, context: JobContext): Promise<TrainingSummary> => {
  const teacher = await openReadyModel(settings.teacher)
  if (settings.resume === false) await requireEmptyFolder(settings.out)
  const [training, guidance] = [parsed(trainingSchema, settings.training), parsed(guidanceSchema, settings.guidance)]
  if (training.mixerPhase !== undefined && training.mixerPhase.updates >= training.updates) {
    throw new UsageError(`--mixer-updates: expected fewer than all ${training.updates} updates, found ${training.mixerPhase.updates}`)
  }
  const fromTeacher = guidanceWays[guidance.guidance].startsFrom === 'teacher'
  const startPath = fromTeacher ? settings.teacher : settings.source ?? (await recordedSource(settings.teacher, teacher.model.config.cald))
  const start = fromTeacher ? teacher : await openReadyModel(startPath)
  requireFit(start.vocabulary, teacher.vocabulary.size, `${startPath}/vocab.json`)
  const student = studentFrom(start.model, settings.mixer, settings.training.seed)
  const corpora = await readCorpora(settings, training)
  const lineage = {
    teacher: fromRun(settings.out, settings.teacher),
    teacherSha256: await sha256OfFile(weightsOf(settings.teacher)),
    startSha256: await sha256OfFile(weightsOf(startPath)),
    guidance: guidance.guidance,
    trainingDataSha256: inherited(corpora.sha256, teacher.model.config.cald, start.model.config.cald),
    ...(await licencesOf({ path: settings.teacher, cald: teacher.model.config.cald }, { path: startPath, cald: start.model.config.cald })),
  }
  return run(
    settings,
    training,
    {
      student,
      files: start.model.folder,
      lineage,
      guidance,
      teacher: teacher.model,
      source: start.model,
      waypoints: guidance.guidance === 'waypoint' ? await findWaypoints(settings) : [],
      vocabulary: start.vocabulary,
      audio: start.audio,
      train: corpora.train,
      dev: corpora.dev,
    },
    context,
  )
}
