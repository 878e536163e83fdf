import type { GuidanceName } from '../../engine/contract/index.ts'

/** Words of the Convert screen. */
export const convert = {
  title: 'Convert',
  lead: 'Attention layers give way to bidirectional Mamba2; every other parameter is kept.',
  steps: { teacher: 'Teacher', data: 'Data', guidance: 'Guidance', recipe: 'Recipe', cost: 'Device, time and memory', start: 'Start' },
  step: (n: number, name: string): string => `${n} · ${name}`,
  teacher: 'Teacher',
  teacherNote: 'the fine-tuned transformer',
  train: 'Training data',
  trainNote: 'what the student learns from',
  dev: 'Development data',
  devNote: 'what it is evaluated on',
  noTeacher: ['No transformer in the library yet: ', 'import one', '.'],
  noData: ['No data in the library yet: ', 'import a manifest', ', or run the ', 'first conversion', ', which makes some.'],
  sameData: 'Training and development data are the same: the error rates will look better than they are.',
  noWords: (name: string): string => `${name} has utterances without a transcript; training needs one of each.`,
  ways: 'How the teacher guides',
  names: { unguided: 'Unguided', target: 'Target', trajectory: 'Trajectory', waypoint: 'Waypoint', hybrid: 'Hybrid' } satisfies Record<GuidanceName, string>,
  startsFrom: { source: 'starts from the source', teacher: 'starts from the teacher' },
  source: 'Source model',
  sourceRecorded: 'as the teacher records it',
  sourceNote: 'the pretrained transformer that the teacher was fine-tuned from',
  waypoints: ['Snapshots are looked for in ', ' beside the teacher.'],
  recipe: 'Recipe',
  ownRecipe: 'The app’s defaults',
  recipeNote: 'where the values below come from; each of them can be changed',
  everyOther: 'Every other setting',
  device: 'Where it computes',
  devices: { auto: 'The best one', cpu: 'Processor', webgpu: 'Graphics card (WebGPU)' } as Readonly<Record<string, string>>,
  deviceAuto: { cpu: 'Here, that is the processor.', webgpu: 'Here, that is the graphics card.' } as Readonly<Record<string, string>>,
  deviceUnusable: (name: string, reason: string): string => `${name} cannot be used: ${reason}.`,
  estimate: 'Estimate time and memory',
  estimating: 'Rehearsing a few updates …',
  estimateNote: 'A short rehearsal of the run itself, some seconds to a minute; nothing is kept.',
  estimateStale: 'The settings have changed since.',
  estimateAgain: 'Estimate again',
  cancel: 'Cancel',
  total: 'In all',
  each: 'Each update',
  memory: 'Peak memory',
  disk: 'Checkpoints',
  gpuMemory: 'On the graphics card',
  ofMachine: (all: string): string => `of ${all}`,
  freeDisk: (free: string): string => `of ${free} free`,
  tooMuchMemory: 'More than this machine has: make the batches shorter, or more of them (micro-batches).',
  tooMuchDisk: 'More than the disk has free: keep fewer checkpoints, or move the library in Settings.',
  parts: { weights: 'Weights', optimiser: 'Gradients and moments', features: 'Features', activations: 'Activations', working: 'Programs', rest: 'The process itself' },
  name: 'Name of the run',
  defaultName: (teacher: string, guidance: string): string => `${teacher}, ${guidance}`,
  model: 'Model',
  hears: (audio: string, updates: string): string => `It will hear ${audio} of audio in ${updates} updates`,
  times: (times: string): string => `, every utterance about ${times} times`,
  after: 'It can be paused, stopped and resumed at any time.',
  start: 'Start the conversion',
  queue: 'Put in the queue',
} as const

/** A setting as the form shows it: its name, its unit, and what it is where nothing is said. Order and groups are those of the form. */
export interface FieldText {
  readonly path: string
  readonly label: string
  readonly unit?: string
  /** What it is when it is left empty. */
  readonly empty?: string
  readonly only?: readonly GuidanceName[]
}

const guided: readonly GuidanceName[] = ['target', 'trajectory', 'waypoint', 'hybrid']

/** What nearly every conversion is told. */
export const plainFields: readonly FieldText[] = [
  { path: 'training.updates', label: 'Updates', unit: 'updates' },
  { path: 'training.batchSeconds', label: 'Audio in a batch', unit: 's' },
  { path: 'training.schedule.peak', label: 'Peak learning rate', unit: 'a step' },
  { path: 'guidance.layerwiseWeight', label: 'Alignment α', unit: 'weight', only: guided },
  { path: 'guidance.outputWeight', label: 'Outputs β', unit: 'weight', only: guided },
  { path: 'guidance.teacherEvery', label: 'Teacher learns every', unit: 'updates', only: ['trajectory'] },
  { path: 'guidance.waypointUpdates', label: 'From snapshot to snapshot', unit: 'updates', empty: 'as in the teacher’s training', only: ['waypoint'] },
  { path: 'guidance.switchUpdate', label: 'Lets go after', unit: 'updates', only: ['hybrid'] },
]

/** Everything else, by what it is about. */
export const furtherFields: readonly { readonly group: string; readonly fields: readonly FieldText[] }[] = [
  {
    group: 'Course of the run',
    fields: [
      { path: 'training.evaluateEvery', label: 'Evaluate every', unit: 'updates' },
      { path: 'training.keepCheckpoints', label: 'Checkpoints kept', unit: 'newest' },
      { path: 'training.patience', label: 'Patience', unit: 'evaluations', empty: 'never ends early' },
      { path: 'training.skipNonFinite', label: 'Broken updates skipped', unit: 'updates' },
      { path: 'training.waypointEvery', label: 'Snapshot every', unit: 'updates', empty: 'none' },
      { path: 'training.seed', label: 'Seed', unit: 'number' },
    ],
  },
  {
    group: 'Learning rate and optimiser',
    fields: [
      { path: 'training.schedule.warmupUpdates', label: 'Warm-up', unit: 'updates' },
      { path: 'training.schedule.plateauUpdates', label: 'Plateau', unit: 'updates', empty: 'none' },
      { path: 'training.schedule.decay', label: 'Decay of the learning rate', unit: 'shape' },
      { path: 'training.schedule.decayUpdates', label: 'Decays over', unit: 'updates', empty: 'those left' },
      { path: 'training.schedule.floor', label: 'Last learning rate', unit: 'a step' },
      { path: 'training.weightDecay', label: 'Weight decay', unit: 'a step' },
      { path: 'training.decayScope', label: 'Weight decay of', unit: 'parameters', empty: 'standard' },
      { path: 'training.clipNorm', label: 'Gradient clip', unit: 'norm' },
      { path: 'training.averageDecay', label: 'Average of the weights', unit: 'decay', empty: 'none' },
      { path: 'training.microBatches', label: 'Micro-batches', unit: 'an update' },
    ],
  },
  {
    group: 'What it hears',
    fields: [
      { path: 'training.freezeFrontend', label: 'Keep the frontend as it is', unit: 'yes or no' },
      { path: 'training.speeds', label: 'Speeds', unit: 'factors' },
      { path: 'training.channels', label: 'Random channels', unit: 'an utterance' },
      { path: 'training.firstUtterances.updates', label: 'Easy beginning', unit: 'updates', empty: 'none' },
      { path: 'training.firstUtterances.maxSeconds', label: 'Longest there', unit: 's', empty: 'any' },
      { path: 'training.firstUtterances.minCharacters', label: 'Shortest there', unit: 'characters', empty: 'any' },
      { path: 'training.featureCacheBytes', label: 'Memory for features', unit: 'bytes' },
    ],
  },
  {
    group: 'Regularisation',
    fields: [
      { path: 'training.dropout.hidden', label: 'Dropout, hidden', unit: 'probability', empty: 'the model’s' },
      { path: 'training.dropout.activation', label: 'Dropout, feed-forward', unit: 'probability', empty: 'the model’s' },
      { path: 'training.dropout.attention', label: 'Dropout, attention', unit: 'probability', empty: 'the model’s' },
      { path: 'training.dropout.featureProjection', label: 'Dropout, projection', unit: 'probability', empty: 'the model’s' },
      { path: 'training.dropout.final', label: 'Dropout, before the head', unit: 'probability', empty: 'the model’s' },
      { path: 'training.layerDrop', label: 'Layer drop', unit: 'probability', empty: 'the model’s' },
      { path: 'training.specAugment.timeProbability', label: 'SpecAugment over time', unit: 'share', empty: 'the model’s' },
      { path: 'training.specAugment.timeLength', label: 'Length of its spans', unit: 'frames', empty: 'the model’s' },
      { path: 'training.specAugment.timeMinMasks', label: 'Least spans over time', unit: 'spans', empty: 'the model’s' },
      { path: 'training.specAugment.featureProbability', label: 'SpecAugment over features', unit: 'share', empty: 'the model’s' },
      { path: 'training.specAugment.featureLength', label: 'Length of those spans', unit: 'features', empty: 'the model’s' },
      { path: 'training.specAugment.featureMinMasks', label: 'Least spans over features', unit: 'spans', empty: 'the model’s' },
    ],
  },
  {
    group: 'Guidance',
    fields: [
      { path: 'guidance.teacherMode', label: 'The teacher hears', unit: 'mode', empty: 'in evaluation mode', only: guided },
      { path: 'guidance.keepOutput', label: 'Outputs go on behind the switch', unit: 'yes or no', only: ['hybrid'] },
    ],
  },
  {
    group: 'Mixers',
    fields: [
      { path: 'mixer.inherit', label: 'Start as the attention', unit: 'yes or no' },
      { path: 'mixer.headdim', label: 'Head width', unit: 'channels' },
      { path: 'mixer.dState', label: 'State size', unit: 'numbers' },
      { path: 'mixer.expand', label: 'Expansion', unit: 'times the width' },
      { path: 'mixer.dConv', label: 'Convolution', unit: 'frames' },
      { path: 'mixer.ngroups', label: 'Groups', unit: 'of B and C' },
      { path: 'mixer.convActivation', label: 'Behind the convolution', unit: 'function' },
      { path: 'mixer.gate', label: 'Gate', unit: 'function' },
      { path: 'mixer.norm', label: 'Norm', unit: 'kind' },
      { path: 'training.mixerPhase.updates', label: 'Mixers learn alone for', unit: 'updates', empty: 'not at all' },
      { path: 'training.mixerPhase.learningRate', label: 'Learning rate there', unit: 'a step', empty: 'the peak' },
      { path: 'training.mixerSwitch.after', label: 'Mamba2 parts on after', unit: 'updates', empty: 'never' },
      { path: 'training.mixerSwitch.over', label: 'Switched on over', unit: 'updates', empty: 'as many again' },
    ],
  },
]

/** What a setting is for, where the engine's own words are for readers of its source. */
export const fieldNotes: Readonly<Record<string, string>> = {
  'training.seed': 'equal seeds give equal runs',
  'mixer.headdim': 'divides the model’s width times the expansion',
  'mixer.dState': 'what each channel remembers',
  'mixer.expand': 'width inside the mixer',
  'mixer.dConv': 'width of the causal convolution',
  'mixer.ngroups': 'heads that share B and C',
}
const spans = 'of SpecAugment'
export const noteOf = (path: string, description: string): string => fieldNotes[path] ?? (description !== '' ? description.replace(/;? \(?default: .*$/, '').replace(/^(trajectory|waypoint|hybrid): /, '') : path.includes('specAugment') ? spans : 'where it strikes')

/** Where a value comes from. */
export const origins = {
  own: 'yours',
  default: 'the app’s default',
  model: 'the model’s config.json',
  empty: 'left empty',
  derived: { 'training.schedule.warmupUpdates': 'a tenth of the updates', 'training.schedule.floor': 'a hundredth of the peak', 'training.mixerPhase.learningRate': 'the peak', 'training.mixerSwitch.over': 'as many as before the switch', 'guidance.switchUpdate': 'half of the updates' } as Readonly<Record<string, string>>,
  recipe: (name: string): string => `recipe ${name}`,
  defaultIs: (value: string): string => `default ${value}`,
  reset: (label: string): string => `Back to the default of ${label}`,
  yes: 'yes',
  no: 'no',
} as const

/** What the diagram shows, and says to those who do not see it. */
export const diagram = {
  label: (way: string, says: string): string => `Diagram of ${way} guidance. ${says}`,
  source: 'source',
  target: 'target teacher',
  student: 'student',
  switch: 'switch',
  copy: 'teacher, learning too',
  snapshots: 'snapshots',
  key: { teacher: 'fine-tuning of the teacher', student: 'the student’s path', guidance: 'who guides it', loss: 'the task’s loss' },
  says: {
    unguided: 'The student leaves the source and finds its way alone.',
    target: 'The student starts as the teacher with new mixers, which throw it off; the teacher stands still and pulls it back.',
    trajectory: 'A copy of the source is fine-tuned beside the student, which follows it step by step.',
    waypoint: 'The student follows snapshots of the teacher’s own fine-tuning, one after the other.',
    hybrid: 'Guided by the teacher first; behind the switch the student goes its own way.',
  } satisfies Record<GuidanceName, string>,
} as const
