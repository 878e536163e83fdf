import { parsePreprocessor } from '../audio/index.ts'
import { readJson } from '../checkpoint/index.ts'
import type { ClassificationHeadKind, OnEvent, TextSettings } from '../contract/index.ts'
import { labelSetsIn, requireFit, requireTexts, Vocabulary, type LoadOptions, type Utterance } from '../datasets/index.ts'
import { ConfigError, MissingFileError, UsageError } from '../errors.ts'
import {
  carriedOver,
  configWithHead,
  createModel,
  describeHead,
  headOf,
  labelSetsOf,
  parseWav2Vec2Config,
  projectorWidth,
  withHead,
  type ClassificationHead,
  type ModelFiles,
  type SpeechModel,
  type Wav2Vec2Config,
} from '../models/index.ts'
import type { ReadyModel } from './context.ts'

/** What a fine-tuning starts from. */
export interface Beginning {
  readonly student: SpeechModel
  readonly vocabulary: Vocabulary | undefined
  readonly files: ModelFiles
  readonly audio: LoadOptions
}

/** What decides which head a fine-tuned model gets. */
interface HeadWish {
  /** Fields of the manifests to classify by; without them the model's own task, or recognition. */
  readonly labels: readonly string[] | undefined
  readonly head: ClassificationHeadKind | undefined
  /** A vocab.json for a new CTC head. */
  readonly vocabulary: string | undefined
  readonly text: TextSettings
  readonly seed: number
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

/** The head to classify training data by some fields of its manifests with: HF's for one label set and the direct one for several, unless one is asked for. */
const headFor = (config: Wav2Vec2Config, fields: readonly string[], kind: ClassificationHeadKind | undefined, train: readonly Utterance[]): ClassificationHead => {
  const repeated = fields.find((field, i) => fields.indexOf(field) < i)
  if (repeated !== undefined) throw new UsageError(`--labels: expected every field once, found ${repeated} twice`)
  if (kind === 'projector' && fields.length > 1) throw new UsageError(`--head projector: expected one label set (HF's head has one classifier), found ${fields.join(', ')}; --head direct takes several`)
  const sets = labelSetsIn(train, fields)
  const projectorSize = config.classifier_proj_size ?? projectorWidth
  return (kind ?? (fields.length === 1 ? 'projector' : 'direct')) === 'projector' ? { kind: 'projector', sets, projectorSize } : { kind: 'direct', sets }
}

/** Whether a model's head already tells the labels of training data apart. */
const fits = (own: ReturnType<typeof headOf>, wanted: ClassificationHead, kind: ClassificationHeadKind | undefined): own is ClassificationHead => {
  const sets = labelSetsOf(own)
  return (kind === undefined || own.kind === kind) && sets.length === wanted.sets.length && wanted.sets.every(({ labels }, i) => labels.every((label) => sets[i]!.labels.includes(label)))
}

/** Says that a model begins with another head than it has. */
const announce = ({ model: { folder, config } }: ReadyModel, begins: string, now: SpeechModel, seed: number, onEvent: OnEvent): void => {
  const head = headOf(now.config)
  const described = head.kind === 'ctc' ? `${describeHead(head)} (${now.config.vocab_size} tokens)` : describeHead(head)
  onEvent({ kind: 'note', message: `${folder.path} has ${describeHead(headOf(config))}; ${begins} ${described}, at random weights (seed ${seed})` })
}

/**
 * An opened model with the head that its task wants; a new head is said to be one. A CTC head is made for the vocabulary given, that of
 * the model's folder, or that of the transcripts. UsageError for a vocabulary that nothing is made for.
 */
export const beginFrom = async (ready: ReadyModel, wish: HeadWish, train: readonly Utterance[], onEvent: OnEvent): Promise<Beginning> => {
  const { model, vocabulary, audio } = ready
  const { labels, head, vocabulary: given, seed } = wish
  const begins = 'training starts with a new one:'
  if (labels !== undefined) {
    if (given !== undefined) throw withLabelsAndVocabulary()
    const wanted = headFor(model.config, labels, head, train)
    const student = fits(headOf(model.config), wanted, head) ? model : withHead(model, wanted, seed)
    if (student !== model) announce(ready, begins, student, seed, onEvent)
    return { student, vocabulary: undefined, files: { ...model.folder, vocabulary: undefined, tokenizer: undefined }, audio }
  }
  if (vocabulary !== undefined && given !== undefined) throw new UsageError(`--vocab: expected none with a checkpoint that has a CTC head and so a vocabulary, found ${given}`)
  if (given === undefined && headOf(model.config).kind !== 'none') return { student: model, vocabulary, files: model.folder, audio }
  const own = given === undefined && model.folder.vocabulary !== undefined
  const spelt = own ? Vocabulary.parse(model.folder.vocabulary, model.folder.tokenizer, `${model.folder.path}/vocab.json`) : await newVocabulary(wish, train)
  const student = withCtcHead(model, spelt, seed)
  announce(ready, begins, student, seed, onEvent)
  return { student, vocabulary: spelt, files: { ...model.folder, vocabulary: spelt.toJSON(), tokenizer: own ? model.folder.tokenizer : tokenizerFromScratch }, audio }
}

/** The vocabulary of a vocab.json that was given, or of the training transcripts. */
const newVocabulary = async ({ vocabulary: given, text }: HeadWish, train: readonly Utterance[]): Promise<Vocabulary> => {
  if (given !== undefined) return Vocabulary.parse(await readJson(given), tokenizerFromScratch, given)
  requireTexts(train)
  return Vocabulary.fromTexts(train.map((utterance) => utterance.text!), text.case === 'auto' ? 'keep' : text.case)
}

const withLabelsAndVocabulary = (): UsageError => new UsageError('--vocab: expected with a model that recognises, found --labels')

/** A model with a CTC head of its own for a vocabulary, drawn from the seed. */
export const withCtcHead = (model: SpeechModel, vocabulary: Vocabulary, seed: number): SpeechModel => {
  const bare = withHead(model, { kind: 'none' }, seed)
  return carriedOver(bare, configWithHead({ ...bare.config, vocab_size: vocabulary.size, pad_token_id: vocabulary.blank }, { kind: 'ctc' }), seed)
}

/** A model of random weights for a config.json: a classifier, or a recogniser with a vocabulary that was given or that the training transcripts spell. */
export const beginFromScratch = async (path: string, wish: HeadWish, train: readonly Utterance[]): Promise<Beginning> => {
  const { labels, head, vocabulary: given, seed } = wish
  const raw = await readJson(path)
  if (raw === undefined) throw new MissingFileError(`${path}: expected a config.json, found none`)
  if (typeof raw !== 'object' || raw === null) throw new ConfigError(`${path}: expected a JSON object`)
  const { sampling_rate, do_normalize } = parsePreprocessor(preprocessorFromScratch, 'preprocessor_config.json')
  const audio = { samplingRate: sampling_rate, normalise: do_normalize }
  if (labels !== undefined) {
    if (given !== undefined) throw withLabelsAndVocabulary()
    const config = parseWav2Vec2Config({ ...raw, architectures: ['Wav2Vec2Model'] }, path)
    const student = createModel(configWithHead(config, headFor(config, labels, head, train)), seed)
    return { student, vocabulary: undefined, files: { preprocessor: preprocessorFromScratch, vocabulary: undefined, tokenizer: undefined }, audio }
  }
  const vocabulary = await newVocabulary(wish, train)
  const config = parseWav2Vec2Config({ architectures: ['Wav2Vec2ForCTC'], vocab_size: vocabulary.size, pad_token_id: vocabulary.blank, ...raw }, path)
  const own = headOf(config)
  if (own.kind !== 'ctc') throw new ConfigError(`${path}: expected a configuration with a CTC head (--labels makes a classifier), found one with ${describeHead(own)}`)
  requireFit(vocabulary, config.vocab_size, given ?? 'the vocabulary of the transcripts')
  if (config.pad_token_id !== vocabulary.blank) throw new ConfigError(`${path}: expected pad_token_id ${vocabulary.blank}, the vocabulary's, found ${config.pad_token_id}`)
  return { student: createModel(config, seed), vocabulary, files: { preprocessor: preprocessorFromScratch, vocabulary: vocabulary.toJSON(), tokenizer: tokenizerFromScratch }, audio }
}

/**
 * The model that a conversion starts from, with the teacher's head: its own where it is the same, else a new one, which is said.
 * VocabularyError when both recognise with vocabularies of other sizes.
 */
export const beginLike = (start: ReadyModel, teacher: ReadyModel, seed: number, onEvent: OnEvent): Beginning => {
  const { audio } = start
  if (start.vocabulary !== undefined && teacher.vocabulary !== undefined) {
    requireFit(start.vocabulary, teacher.vocabulary.size, `${start.model.folder.path}/vocab.json`)
    return { student: start.model, vocabulary: start.vocabulary, files: start.model.folder, audio }
  }
  const student = teacher.vocabulary === undefined ? withHead(start.model, headOf(teacher.model.config), seed) : withCtcHead(start.model, teacher.vocabulary, seed)
  if (student !== start.model) announce(start, "the conversion starts with a new one, the teacher's:", student, seed, onEvent)
  return { student, vocabulary: teacher.vocabulary, files: { ...teacher.model.folder, preprocessor: start.model.folder.preprocessor }, audio }
}
