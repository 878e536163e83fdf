import type { Group, Ingredient, Recipe } from './recipe.ts'

/*
 * The speech recipes of He & Garner, "Joint Fine-tuning and Conversion of Pretrained Speech and Language Models towards Linear Complexity", ICLR 2025, as their published
 * code runs them: its defaults (hyperparams.py) and the commands of its README. Effective values are those of this engine's formulas: the authors divide α and β by the number of
 * micro-batches and, in classification, multiply them by the characters of an utterance's transcript.
 */
const defaults = 'hyperparams.py'
const command = 'the README’s commands'

const shared: readonly Ingredient[] = [
  { path: 'training.updates', value: 90_000, from: command, nominal: '--max_steps 90000' },
  { path: 'training.schedule.peak', value: 3e-4, from: defaults, nominal: 'max_lr' },
  { path: 'training.schedule.warmupUpdates', value: 5000, from: defaults, nominal: 'warmup_steps' },
  { path: 'training.schedule.plateauUpdates', value: 0, from: defaults, nominal: 'plateau_steps' },
  { path: 'training.schedule.decay', value: 'exponential', from: defaults, nominal: 'decay_type exp' },
  { path: 'training.schedule.decayUpdates', value: 75_000, from: defaults, nominal: 'decay_steps' },
  { path: 'training.schedule.floor', value: 1.5e-6, from: defaults, nominal: 'final_lr' },
  { path: 'training.weightDecay', value: 5e-3, from: defaults, nominal: 'reg_weight' },
  { path: 'training.decayScope', value: 'authors', from: 'model.py', nominal: 'is_weight_decayed: norms of other names, A_log, D and dt_bias too' },
  { path: 'training.clipNorm', value: 1, from: defaults, nominal: 'max_grad_norm' },
  { path: 'training.freezeFrontend', value: true, from: 'train.py and train_distill.py' },
  { path: 'training.dropout.featureProjection', value: 0.2, from: defaults, nominal: 'feat_proj_dropout' },
  { path: 'training.dropout.hidden', value: 0.2, from: defaults, nominal: 'hidden_dropout' },
  { path: 'training.dropout.activation', value: 0.2, from: defaults, nominal: 'activation_dropout' },
  { path: 'training.dropout.final', value: 0, from: defaults, nominal: 'final_dropout' },
  { path: 'training.specAugment.timeProbability', value: 0.1, from: defaults, nominal: 'mask_time_prob' },
  { path: 'training.firstUtterances.maxSeconds', value: 10, from: defaults, nominal: 'input_length_upper_bound 160000 samples' },
  { path: 'training.firstUtterances.minCharacters', value: 3, from: defaults, nominal: 'target_length_lower_bound 2, exclusive' },
  { path: 'training.waypointEvery', value: 10_000, only: ['finetune'], from: defaults, nominal: 'teacher_snapshot_cycle' },
  { path: 'guidance.teacherMode', value: 'training', only: ['guided'], from: 'train_distill.py', nominal: 'teacher_model.train(); its own layer drop besides, which is left out here' },
  { path: 'mixer.expand', value: 1, only: ['guided', 'unguided'], from: 'mamba_utils.py' },
  { path: 'mixer.dState', value: 128, only: ['guided', 'unguided'], from: 'mamba_utils.py' },
  { path: 'mixer.dConv', value: 4, only: ['guided', 'unguided'], from: 'mamba_utils.py' },
  { path: 'mixer.headdim', value: 64, only: ['guided', 'unguided'], from: 'mamba_utils.py' },
  { path: 'mixer.ngroups', value: 1, only: ['guided', 'unguided'], from: 'mamba_utils.py' },
]

interface Corpus {
  /** Micro-batches, and seconds of audio in each, with the limit of frames they come from. */
  readonly audio: Readonly<Record<Group, readonly [number, number]>>
  readonly firstUpdates: number
  readonly evaluateEvery: number
  readonly switchUpdate: number
  readonly layerwise: Omit<Ingredient, 'path' | 'from' | 'only'>
  readonly output: Omit<Ingredient, 'path' | 'from' | 'only'>
}

const of = ({ audio, firstUpdates, evaluateEvery, switchUpdate, layerwise, output }: Corpus): Ingredient[] => [
  ...(Object.entries(audio) as [Group, readonly [number, number]][]).flatMap(([group, [microBatches, seconds]]): Ingredient[] => [
    { path: 'training.microBatches', value: microBatches, only: [group], from: command, nominal: `--accumulation_steps ${microBatches}` },
    { path: 'training.batchSeconds', value: seconds, only: [group], from: command, nominal: `batch_frame_limit ${seconds * 16_000} samples` },
  ]),
  { path: 'training.firstUtterances.updates', value: firstUpdates, from: firstUpdates === 5000 ? defaults : command, nominal: 'data_warmup_steps' },
  { path: 'training.evaluateEvery', value: evaluateEvery, from: command, nominal: `--checkpoint_interval ${evaluateEvery}` },
  { path: 'guidance.layerwiseWeight', only: ['guided'], from: command, ...layerwise },
  { path: 'guidance.outputWeight', only: ['guided'], from: command, ...output },
  { path: 'guidance.switchUpdate', value: switchUpdate, only: ['hybrid'], from: 'the README’s section on hybrid guidance' },
]

export const authorsRecipes: readonly Recipe[] = [
  {
    name: 'tedlium',
    title: 'the authors’ speech recognition on TED-LIUM',
    task: 'recognition',
    ingredients: [
      ...shared,
      ...of({
        audio: { guided: [4, 118.75], finetune: [3, 156.25], unguided: [3, 156.25] },
        firstUpdates: 10_000,
        evaluateEvery: 2000,
        switchUpdate: 40_000,
        layerwise: { value: 3.75, nominal: '15, divided by 4 micro-batches' },
        output: { value: 0.25, nominal: '1, divided by 4 micro-batches' },
      }),
    ],
  },
  {
    name: 'slurp',
    title: 'the authors’ intent classification on SLURP: scenario and action',
    task: 'classification',
    ingredients: [
      ...shared,
      ...of({
        audio: { guided: [2, 125], finetune: [1, 250], unguided: [3, 312.5] },
        firstUpdates: 5000,
        evaluateEvery: 5000,
        switchUpdate: 30_000,
        layerwise: { value: undefined, nominal: '15, divided by 2 micro-batches and times the characters of an utterance', instead: '--layerwise-weight 7.5 × the mean number of characters in a transcript of your training data' },
        output: { value: 0, nominal: '0' },
      }),
    ],
  },
  {
    name: 'voxceleb',
    title: 'the authors’ speaker identification on VoxCeleb1',
    task: 'classification',
    ingredients: [
      ...shared,
      ...of({
        audio: { guided: [4, 140.625], finetune: [3, 187.5], unguided: [3, 187.5] },
        firstUpdates: 5000,
        evaluateEvery: 5000,
        switchUpdate: 50_000,
        layerwise: { value: 22.5, nominal: '30, divided by 4 micro-batches and times the 3 characters of a placeholder transcript' },
        output: { value: 0, nominal: '0' },
      }),
    ],
  },
]
