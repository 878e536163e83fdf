import { readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { parsePreprocessor } from '../audio/index.ts'
import { readJson, requireEmptyFolder, sha256OfFile, sha256OfWeights } from '../checkpoint/index.ts'
import { guidanceSchema, trainingSchema, type GuidanceInput, type MixerSettings, type TextSettings, type TrainingInput, type TrainingSettings } from '../contract/index.ts'
import { atSpeeds, checkRecordings, readCorpus, requireFit, requireTexts, Vocabulary, type Utterance } from '../datasets/index.ts'
import { guidanceWays, studentFrom, train, type Resume, type Waypoint, type TrainingRequest, type TrainingResult } from '../distill/index.ts'
import { ConfigError, messageOf, MissingFileError, UsageError } from '../errors.ts'
import { createModel, openModel, parseWav2Vec2Config, type ModelFiles, type NewHead, type SpeechModel } from '../models/index.ts'
import { onDevice, openReadyModel, type ComputeSettings, type JobContext, type ReadyModel } from './context.ts'
import { fromRun, inherited, recordedSource } from './lineage.ts'

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
  /**
   * A checkpoint to go on from, or a config.json to start from scratch with. `vocabulary` is a vocab.json for what has none of its own: without it
   * that of a headless checkpoint's folder, else the characters of the training transcripts.
   */
  readonly start: { readonly model: string; readonly vocabulary?: string | undefined } | { readonly config: string; readonly vocabulary: string | undefined }
}

export interface ConvertSettings extends Common {
  readonly teacher: string
  readonly source: string | undefined
  readonly guidance: GuidanceInput
  /** Folder of snapshots for waypoint guidance; default: `waypoints` beside the teacher. */
  readonly waypoints?: string | undefined
  readonly mixer: MixerSettings
}

export interface TrainingSummary extends TrainingResult {
  readonly out: string
  readonly parameters: number
  readonly seconds: number
}

/** Both corpora, every transcript spelt and every recording opened, before anything is written. */
const readCorpora = async (paths: Common, { speeds }: TrainingSettings): Promise<{ train: Utterance[]; dev: Utterance[]; sha256: string[] }> => {
  const readAll = async (of: readonly string[]): Promise<Utterance[]> => (await Promise.all(of.map(readCorpus))).flat()
  const [train, dev] = [await readAll(paths.train), await readAll(paths.dev)]
  requireTexts([...train, ...dev])
  await checkRecordings([...train, ...dev])
  const manifests = [...new Set(train.map(({ manifest }) => manifest))]
  return { train: atSpeeds(train, speeds), dev, sha256: await Promise.all(manifests.map(sha256OfFile)) }
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

/** The vocabulary of a vocab.json that was given, or of the training transcripts. */
const newVocabulary = async (path: string | undefined, { text }: FinetuneSettings, corpus: readonly Utterance[]): Promise<Vocabulary> =>
  path === undefined
    ? Vocabulary.fromTexts(corpus.map((utterance) => utterance.text!), text.case === 'auto' ? 'keep' : text.case)
    : Vocabulary.parse(await readJson(path), tokenizerFromScratch, path)

/** A model of random weights for a config.json, with a vocabulary that was given or that the training transcripts spell. */
const fromScratch = async (
  { config: path, vocabulary: vocabularyPath }: { config: string; vocabulary: string | undefined },
  settings: FinetuneSettings,
  corpus: readonly Utterance[],
): Promise<{ student: SpeechModel; vocabulary: Vocabulary; files: TrainingRequest['files'] }> => {
  const raw = await readJson(path)
  if (raw === undefined) throw new MissingFileError(`${path}: expected a config.json, found none`)
  if (typeof raw !== 'object' || raw === null) throw new ConfigError(`${path}: expected a JSON object`)
  const vocabulary = await newVocabulary(vocabularyPath, settings, corpus)
  const config = parseWav2Vec2Config({ architectures: ['Wav2Vec2ForCTC'], vocab_size: vocabulary.size, pad_token_id: vocabulary.blank, ...raw }, path)
  requireFit(vocabulary, config.vocab_size, vocabularyPath ?? 'the vocabulary of the transcripts')
  if (config.pad_token_id !== vocabulary.blank) throw new ConfigError(`${path}: expected pad_token_id ${vocabulary.blank}, the vocabulary's, found ${config.pad_token_id}`)
  return {
    student: createModel(config, settings.training.seed),
    vocabulary,
    files: { preprocessor: preprocessorFromScratch, vocabulary: vocabulary.toJSON(), tokenizer: tokenizerFromScratch },
  }
}

const headFor = (vocabulary: Vocabulary, tokenizer: unknown, seed: number): NewHead => ({
  vocabSize: vocabulary.size,
  padTokenId: vocabulary.blank,
  seed,
  vocabulary: vocabulary.toJSON(),
  tokenizer,
})

/** The checkpoint to go on from; a body without a CTC head gets one for the vocabulary given, its own, or that of the transcripts. */
const fromCheckpoint = async (
  { model: path, vocabulary: given }: { model: string; vocabulary?: string | undefined },
  settings: FinetuneSettings,
  training: TrainingSettings,
  { onEvent }: JobContext,
): Promise<ReadyModel> => {
  const newHead = async ({ vocabulary: own, tokenizer }: ModelFiles): Promise<NewHead> => {
    if (given === undefined && own !== undefined) return headFor(Vocabulary.parse(own, tokenizer, `${path}/vocab.json`), tokenizer, training.seed)
    const texts = given === undefined ? (await readCorpora(settings, training)).train : []
    return headFor(await newVocabulary(given, settings, texts), tokenizerFromScratch, training.seed)
  }
  const ready = await openReadyModel(path, { newHead, onEvent })
  if (given !== undefined && !ready.model.newHead) throw new UsageError(`--vocab: expected none with a checkpoint that has a CTC head and so a vocabulary, found ${given}`)
  return ready
}

/** Fine-tunes a transformer (or a student) on CTC, from a checkpoint or from scratch. */
export const finetune = async (settings: FinetuneSettings, context: JobContext): Promise<TrainingSummary> => {
  const { start } = settings
  const training = parsed(trainingSchema, settings.training)
  const opened = 'model' in start ? await fromCheckpoint(start, settings, training, context) : undefined
  if (settings.resume === false) await requireEmptyFolder(settings.out)
  const corpora = await readCorpora(settings, training)
  const { student, vocabulary, files } = opened === undefined ? await fromScratch(start as Extract<typeof start, { config: string }>, settings, corpora.train) : existing(opened)
  const audio = opened?.audio ?? audioOf(files.preprocessor)
  const source = 'model' in start ? { source: fromRun(settings.out, start.model), sourceSha256: await sha256OfWeights(start.model) } : {}
  const lineage = { ...source, trainingDataSha256: inherited(corpora.sha256, opened?.model.config.cald) }
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
  const { onEvent } = context
  const teacher = await openReadyModel(settings.teacher, { onEvent })
  if (settings.resume === false) await requireEmptyFolder(settings.out)
  const [training, guidance] = [parsed(trainingSchema, settings.training), parsed(guidanceSchema, settings.guidance)]
  const fromTeacher = guidanceWays[guidance.guidance].startsFrom === 'teacher'
  const startPath = fromTeacher ? settings.teacher : settings.source ?? (await recordedSource(settings.teacher, teacher.model.config.cald))
  const { tokenizer } = teacher.model.folder
  const newHead = (): Promise<NewHead> => Promise.resolve(headFor(teacher.vocabulary, tokenizer, training.seed))
  const start = fromTeacher ? teacher : await openReadyModel(startPath, { newHead, onEvent })
  requireFit(start.vocabulary, teacher.vocabulary.size, `${startPath}/vocab.json`)
  const student = studentFrom(start.model, settings.mixer, settings.training.seed)
  const corpora = await readCorpora(settings, training)
  const lineage = {
    teacher: fromRun(settings.out, settings.teacher),
    teacherSha256: await sha256OfWeights(settings.teacher),
    startSha256: await sha256OfWeights(startPath),
    guidance: guidance.guidance,
    trainingDataSha256: inherited(corpora.sha256, teacher.model.config.cald, start.model.config.cald),
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
