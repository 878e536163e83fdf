import type { ConversionInput, GuidanceName } from '../../../engine/contract/index.ts'

/** A setting as the form shows it; `source` says where its value comes from. */
export interface Field {
  readonly key: keyof Values
  readonly label: string
  readonly unit: string
  readonly help: string
  readonly min: number
  readonly whole: boolean
  readonly only?: readonly GuidanceName[]
}

interface Values {
  updates: number
  batchSeconds: number
  learningRate: number
  layerwiseWeight: number
  outputWeight: number
  teacherEvery: number
  switchUpdate: number
  evaluateEvery: number
  warmupUpdates: number
  floor: number
  weightDecay: number
  clipNorm: number
  microBatches: number
  headdim: number
  dState: number
  seed: number
  keepCheckpoints: number
  skipNonFinite: number
}

export const defaults: Readonly<Values> = {
  updates: 1000,
  batchSeconds: 30,
  learningRate: 1e-3,
  layerwiseWeight: 3.75,
  outputWeight: 0.25,
  teacherEvery: 1,
  switchUpdate: 500,
  evaluateEvery: 100,
  warmupUpdates: 100,
  floor: 1e-5,
  weightDecay: 0.005,
  clipNorm: 1,
  microBatches: 1,
  headdim: 32,
  dState: 32,
  seed: 1,
  keepCheckpoints: 2,
  skipNonFinite: 0,
}

const guided: readonly GuidanceName[] = ['target', 'trajectory', 'waypoint', 'hybrid']
export const plain: readonly Field[] = [
  { key: 'updates', label: 'Updates', unit: 'updates', help: 'how long it learns', min: 1, whole: true },
  { key: 'batchSeconds', label: 'Audio in a batch', unit: 's', help: 'more needs more memory', min: 0.1, whole: false },
  { key: 'learningRate', label: 'Peak learning rate', unit: '', help: 'behind the warm-up', min: 0, whole: false },
  { key: 'layerwiseWeight', label: 'Alignment α', unit: '', help: 'weight of the layerwise loss', min: 0, whole: false, only: guided },
  { key: 'outputWeight', label: 'Outputs β', unit: '', help: 'weight of the output distillation', min: 0, whole: false, only: guided },
  { key: 'teacherEvery', label: 'Teacher learns every', unit: 'updates', help: 'of the student', min: 1, whole: true, only: ['trajectory'] },
  { key: 'switchUpdate', label: 'Lets go after', unit: 'updates', help: 'alignment ends there', min: 1, whole: true, only: ['hybrid'] },
]
export const further: readonly Field[] = [
  { key: 'evaluateEvery', label: 'Evaluate every', unit: 'updates', help: 'and write a checkpoint', min: 1, whole: true },
  { key: 'warmupUpdates', label: 'Warm-up', unit: 'updates', help: 'the learning rate rises from 0', min: 0, whole: true },
  { key: 'floor', label: 'Last learning rate', unit: '', help: 'at the end of the decay', min: 0, whole: false },
  { key: 'weightDecay', label: 'Weight decay', unit: '', help: 'of matrices and kernels', min: 0, whole: false },
  { key: 'clipNorm', label: 'Gradient clip', unit: 'norm', help: 'largest global norm', min: 0, whole: false },
  { key: 'microBatches', label: 'Micro-batches', unit: 'an update', help: 'gradients added up', min: 1, whole: true },
  { key: 'headdim', label: 'Head width', unit: '', help: 'of Mamba2; divides the model’s width', min: 1, whole: true },
  { key: 'dState', label: 'State size', unit: '', help: 'of Mamba2', min: 1, whole: true },
  { key: 'seed', label: 'Seed', unit: '', help: 'equal seeds give equal runs', min: 0, whole: true },
  { key: 'keepCheckpoints', label: 'Checkpoints kept', unit: '', help: 'the newest', min: 1, whole: true },
  { key: 'skipNonFinite', label: 'Broken updates skipped', unit: 'updates', help: 'before the run stops', min: 0, whole: true },
]

/** The plan of a conversion while it is made. */
export class Plan {
  name = $state('')
  teacher = $state('')
  source = $state('')
  train = $state('')
  dev = $state('')
  guidance = $state<GuidanceName>('target')
  decay = $state<'none' | 'linear' | 'cosine' | 'exponential'>('cosine')
  freezeFrontend = $state(true)
  keepOutput = $state(false)
  values = $state<Values>({ ...defaults })

  toConversion(): ConversionInput {
    const { updates, batchSeconds, learningRate, warmupUpdates, floor, weightDecay, clipNorm, microBatches, evaluateEvery, keepCheckpoints, skipNonFinite, seed, headdim, dState } = this.values
    const { layerwiseWeight, outputWeight, teacherEvery, switchUpdate } = this.values
    const isGuided = this.guidance !== 'unguided'
    return {
      name: this.name,
      teacher: this.teacher,
      ...(this.source === '' ? {} : { source: this.source }),
      train: this.train,
      dev: this.dev,
      guidance: {
        guidance: this.guidance,
        layerwiseWeight: isGuided ? layerwiseWeight : 0,
        outputWeight: isGuided ? outputWeight : 0,
        ...(this.guidance === 'trajectory' ? { teacherEvery } : {}),
        ...(this.guidance === 'hybrid' ? { switchUpdate, keepOutput: this.keepOutput } : {}),
      },
      mixer: { expand: 1, dState, dConv: 4, headdim, ngroups: 1 },
      training: {
        updates,
        batchSeconds,
        microBatches,
        schedule: { peak: learningRate, warmupUpdates: Math.min(warmupUpdates, updates), decay: this.decay, floor },
        weightDecay,
        clipNorm,
        freezeFrontend: this.freezeFrontend,
        evaluateEvery,
        keepCheckpoints,
        skipNonFinite,
        seed,
      },
    }
  }
}
