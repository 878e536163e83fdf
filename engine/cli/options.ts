import { availableParallelism } from 'node:os'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { guidanceNames, precisionNames, type GuidanceName, type GuidanceInput, type MixerInput, type PrecisionName, type TextSettings, type TrainingInput, type TrainingSettings } from '../contract/index.ts'

const number = (accepts: (value: number) => boolean, expected: string) => (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !accepts(value)) throw new InvalidArgumentError(`Expected ${expected}, found ${text}.`)
  return value
}
export const positive = number((value) => value > 0 && Number.isFinite(value), 'a number above 0')
const notNegative = number((value) => value >= 0 && Number.isFinite(value), 'a number of 0 or more')
export const positives = (text: string): number[] => text.split(',').map(positive)
export const count = number((value) => Number.isInteger(value) && value > 0, 'a whole number above 0')
export const countOrZero = number((value) => Number.isInteger(value) && value >= 0, 'a whole number of 0 or more')
export const port = number((value) => Number.isInteger(value) && value >= 0 && value < 65_536, 'a port from 0 to 65535')
const fraction = number((value) => value >= 0 && value < 1, 'a fraction from 0 to below 1')

/** Options of every command that computes. */
export interface ComputeFlags {
  device: 'auto' | 'cpu' | 'webgpu'
  threads: number
  json?: true
}

export const withCompute = (command: Command): Command =>
  command
    .addOption(new Option('--device <name>', 'where to compute').choices(['auto', 'cpu', 'webgpu']).default('auto'))
    .option('--threads <n>', 'CPU threads; equal numbers give equal bits', count, availableParallelism())
    .option('--json', 'print one JSON object on standard output and nothing else there')

export interface TextFlags {
  textCase: TextSettings['case']
  unknownCharacters: TextSettings['unknown']
}

export const withText = (command: Command): Command =>
  command
    .addOption(new Option('--text-case <case>', "case of transcripts; auto: the vocabulary's").choices(['auto', 'upper', 'lower', 'keep']).default('auto'))
    .addOption(new Option('--unknown-characters <policy>', 'what becomes of a character outside the vocabulary in a training transcript (in a reference it counts as an error)').choices(['error', 'unk', 'drop']).default('error'))

export const textOf = ({ textCase, unknownCharacters }: TextFlags): TextSettings => ({ case: textCase, unknown: unknownCharacters })

export interface LabelFlags {
  labels?: string[]
}

const names = (text: string): string[] => {
  const all = text.split(',').map((name) => name.trim())
  if (all.includes('')) throw new InvalidArgumentError(`Expected names separated by commas, found ${text}.`)
  return all
}

/** For commands that may meet a classifier. */
export const withLabels = (command: Command): Command =>
  command.option('--labels <fields>', 'fields of the manifest that hold the labels, one a label set, separated by commas (default: as a classifier names its sets)', names)

export interface TrainingFlags extends ComputeFlags, TextFlags, LabelFlags {
  train: string[]
  dev: string[]
  out: string
  resume?: true | number
  precision: PrecisionName
  steps: number
  batchSeconds: number
  microBatches: number
  lr: number
  warmup?: number
  plateau?: number
  decay: TrainingSettings['schedule']['decay']
  decayUpdates?: number
  lrFloor?: number
  weightDecay: number
  decayScope?: TrainingSettings['decayScope']
  clip: number
  evaluateEvery: number
  keepCheckpoints: number
  patience?: number
  average?: number
  skipNonFinite: number
  waypoints?: number
  seed: number
  freezeFrontend?: true
  trainFrontend?: true
  dropout?: number
  hiddenDropout?: number
  activationDropout?: number
  attentionDropout?: number
  finalDropout?: number
  speeds: number[]
  channels: number
  maskTimeProb?: number
  maskTimeLength?: number
  maskFeatureProb?: number
  maskFeatureLength?: number
  layerDrop?: number
  firstUpdates?: number
  firstSeconds?: number
  firstCharacters?: number
}

export const withTraining = (command: Command, { lr }: { lr: number }): Command =>
  withLabels(withText(withCompute(command)))
    .requiredOption('--train <manifests...>', 'training data: JSONL or CSV manifests, or corpus folders')
    .requiredOption('--dev <manifests...>', 'data that evaluations run on')
    .requiredOption('--out <folder>', 'new folder for the run: models, checkpoints, metrics')
    .option('--resume [update]', 'go on from the newest checkpoint in --out, or from that of an update', count)
    .option('--steps <n>', 'updates', count, 1000)
    .addOption(new Option('--precision <type>', 'float type that gradients are computed in; weights stay float32; auto: float16 on a webgpu device that has it').choices(precisionNames).default('auto'))
    .option('--batch-seconds <s>', 'padded audio in one micro-batch, in seconds', positive, 60)
    .option('--micro-batches <n>', 'micro-batches whose gradients make one update', count, 1)
    .option('--lr <rate>', 'peak learning rate', positive, lr)
    .option('--warmup <n>', 'updates over which the learning rate rises from 0 (default: a tenth of --steps)', countOrZero)
    .option('--plateau <n>', 'updates at the peak before it falls (default: none)', countOrZero)
    .addOption(new Option('--decay <kind>', 'how the learning rate falls after the warm-up').choices(['none', 'linear', 'cosine', 'exponential']).default('linear'))
    .option('--decay-updates <n>', 'updates over which it falls (default: those left)', count)
    .option('--lr-floor <rate>', 'learning rate at the end (default: a hundredth of --lr)', notNegative)
    .option('--weight-decay <rate>', 'decoupled weight decay', notNegative, 0.005)
    .addOption(new Option('--decay-scope <scope>', 'what it shrinks: matrices and kernels (standard, the default), or all but biases and layer_norm modules (authors)').choices(['standard', 'authors']))
    .option('--clip <norm>', 'largest global gradient norm', positive, 1)
    .option('--evaluate-every <n>', 'updates between evaluations and checkpoints', count, 250)
    .option('--keep-checkpoints <n>', 'newest checkpoints that are kept', count, 2)
    .option('--average <decay>', 'evaluate and keep an exponential average of the weights (default: the weights themselves)', fraction)
    .option('--patience <n>', 'evaluations without a better model after which the run ends (default: never)', count)
    .option('--skip-non-finite <n>', 'updates that are not finite to skip before the run stops', countOrZero, 0)
    .option('--waypoints <n>', 'keep a snapshot of the model every so many updates, for waypoint guidance', count)
    .option('--seed <n>', 'seed of everything random', countOrZero, 1)
    .option('--freeze-frontend', 'keep the convolutional frontend and cache its features')
    .option('--train-frontend', 'train the convolutional frontend too')
    .option('--dropout <p>', "every dropout probability (default: the model's)", fraction)
    .option('--hidden-dropout <p>', 'dropout behind attention and feed-forward (default: --dropout)', fraction)
    .option('--activation-dropout <p>', 'dropout inside the feed-forward (default: --dropout)', fraction)
    .option('--attention-dropout <p>', 'dropout of attention weights (default: --dropout)', fraction)
    .option('--final-dropout <p>', 'dropout before the head (default: --dropout)', fraction)
    .option('--speeds <factors>', 'speeds at which every training utterance is heard, separated by commas', positives, [1])
    .option('--channels <n>', 'random channels (equaliser and noise) through which every training utterance is heard, besides as it is', countOrZero, 0)
    .option('--mask-time-prob <p>', "share of frames that SpecAugment hides (default: the model's)", fraction)
    .option('--mask-time-length <frames>', "length of SpecAugment's spans of frames (default: the model's)", count)
    .option('--mask-feature-prob <p>', "share of features that SpecAugment hides (default: the model's)", fraction)
    .option('--mask-feature-length <features>', "length of SpecAugment's spans of features (default: the model's)", count)
    .option('--layer-drop <p>', "probability that an encoder layer is left out of a micro-batch (default: the model's, else 0)", fraction)
    .option('--first-updates <n>', 'updates that hear only some of the training data: see the next two (default: none)', count)
    .option('--first-seconds <s>', 'longest utterance there (default: any)', positive)
    .option('--first-characters <n>', 'shortest transcript there, in characters (default: any)', countOrZero)

/** What was given of some settings. */
const given = (values: Readonly<Record<string, number | undefined>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined))

/** The settings that flags describe; `frozenByDefault` when neither --freeze-frontend nor --train-frontend is given. */
export const trainingOf = (flags: TrainingFlags, frozenByDefault: boolean): TrainingInput => {
  const { steps, lr, dropout: p } = flags
  return {
    updates: steps,
    batchSeconds: flags.batchSeconds,
    microBatches: flags.microBatches,
    schedule: {
      peak: lr,
      warmupUpdates: flags.warmup ?? Math.floor(steps / 10),
      plateauUpdates: flags.plateau,
      decay: flags.decay,
      decayUpdates: flags.decayUpdates,
      floor: flags.lrFloor ?? lr / 100,
    },
    weightDecay: flags.weightDecay,
    decayScope: flags.decayScope,
    clipNorm: flags.clip,
    freezeFrontend: flags.trainFrontend === true ? false : (flags.freezeFrontend ?? frozenByDefault),
    evaluateEvery: flags.evaluateEvery,
    keepCheckpoints: flags.keepCheckpoints,
    patience: flags.patience,
    averageDecay: flags.average,
    skipNonFinite: flags.skipNonFinite,
    waypointEvery: flags.waypoints,
    seed: flags.seed,
    dropout: given({
      hidden: flags.hiddenDropout ?? p,
      activation: flags.activationDropout ?? p,
      attention: flags.attentionDropout ?? p,
      featureProjection: p,
      final: flags.finalDropout ?? p,
    }),
    specAugment: given({
      timeProbability: flags.maskTimeProb,
      timeLength: flags.maskTimeLength,
      featureProbability: flags.maskFeatureProb,
      featureLength: flags.maskFeatureLength,
    }),
    layerDrop: flags.layerDrop,
    firstUtterances: flags.firstUpdates === undefined ? undefined : { updates: flags.firstUpdates, maxSeconds: flags.firstSeconds, minCharacters: flags.firstCharacters },
    speeds: flags.speeds,
    channels: flags.channels,
    featureCacheBytes: 2 ** 31,
  }
}

export interface ConvertFlags extends TrainingFlags {
  teacher: string
  source?: string
  guidance: GuidanceName
  layerwiseWeight: number
  teacherEvery: number
  teacherMode?: GuidanceInput['teacherMode']
  switch?: number
  keepOutput?: true
  waypointModels?: string
  waypointUpdates?: number
  outputWeight: number
  headdim: number
  dState: number
  inheritMixers?: true
  switchMixers?: number
  switchOver?: number
  mixerUpdates?: number
  mixerLr?: number
}

export const withConversion = (command: Command): Command =>
  withTraining(command, { lr: 3e-4 })
    .requiredOption('--teacher <folder>', 'the fine-tuned transformer to convert')
    .option('--source <folder>', 'the model it was fine-tuned from (unguided conversions start there)')
    .addOption(new Option('--guidance <way>', 'how the teacher guides').choices(guidanceNames).makeOptionMandatory())
    .option('--layerwise-weight <alpha>', 'weight α of the layerwise alignment', notNegative, 3.75)
    .option('--output-weight <beta>', 'weight β of the output distillation', notNegative, 0.25)
    .option('--teacher-every <n>', 'trajectory: the teacher learns once every so many updates', count, 1)
    .addOption(new Option('--teacher-mode <mode>', 'how the teacher hears: without dropout and with the student’s SpecAugment (evaluation, the default), or with draws of its own (training)').choices(['evaluation', 'training']))
    .option('--switch <n>', 'hybrid: updates after which the alignment ends', count)
    .option('--keep-output', 'hybrid: the output distillation goes on behind the switch')
    .option('--waypoint-models <folder>', 'waypoint: snapshots of the teacher’s training (default: waypoints/ beside the teacher)')
    .option('--waypoint-updates <n>', 'waypoint: updates from one snapshot to the next (default: as in the teacher’s training)', count)
    .option('--headdim <n>', 'width of a Mamba2 head', count, 64)
    .option('--d-state <n>', 'state size of Mamba2', count, 128)
    .option('--inherit-mixers', 'start the mixers as the attention they replace: its heads, weights and widths, without Mamba2’s activation, gate and norm')
    .option('--switch-mixers <n>', 'with --inherit-mixers: updates after which Mamba2’s activation, gate and norm are switched on (default: never)', count)
    .option('--switch-over <n>', 'updates over which they are (default: as many as those before)', count)
    .option('--mixer-updates <n>', 'of all updates, the first that train each mixer alone towards the attention it replaces (default: none)', count)
    .option('--mixer-lr <rate>', 'learning rate there (default: --lr)', positive)

/** The phase of the mixers alone and the switch of inherited ones, where the flags ask for them. */
export const mixerTrainingOf = ({ mixerUpdates, mixerLr, lr, switchMixers, switchOver }: ConvertFlags): Pick<TrainingInput, 'mixerPhase' | 'mixerSwitch'> => ({
  ...(mixerUpdates === undefined ? {} : { mixerPhase: { updates: mixerUpdates, learningRate: mixerLr ?? lr } }),
  ...(switchMixers === undefined ? {} : { mixerSwitch: { after: switchMixers, over: switchOver ?? switchMixers } }),
})

export const guidanceOf = ({ guidance, layerwiseWeight, outputWeight, teacherEvery, teacherMode, switch: switchUpdate, waypointUpdates, keepOutput }: ConvertFlags): GuidanceInput => ({
  guidance,
  layerwiseWeight,
  outputWeight,
  teacherEvery,
  keepOutput: keepOutput === true,
  ...(teacherMode === undefined ? {} : { teacherMode }),
  ...(switchUpdate === undefined ? {} : { switchUpdate }),
  ...(waypointUpdates === undefined ? {} : { waypointUpdates }),
})

export const mixerOf = ({ headdim, dState, inheritMixers }: ConvertFlags): MixerInput | 'inherited' =>
  inheritMixers === true ? 'inherited' : ({ expand: 1, dState, dConv: 4, headdim, ngroups: 1 })
