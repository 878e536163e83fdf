import type { GuidanceInput, TrainingInput } from '../engine/contract/index.ts'
import type { ConvertSettings } from '../engine/jobs/index.ts'

/** One conversion of the study. */
export interface Entry {
  readonly task: 'digits' | 'speakers'
  /** The row it counts for; entries of one name differ in their seed. */
  readonly name: string
  readonly seed: number
  readonly guidance: GuidanceInput
  readonly training: TrainingInput
  readonly mixer: ConvertSettings['mixer']
}

/** Updates of every conversion. */
export const updates = 400

const weights = { layerwiseWeight: 3.75, outputWeight: 0.25 }
const target: GuidanceInput = { guidance: 'target', ...weights }
const unguided: GuidanceInput = { guidance: 'unguided', layerwiseWeight: 0, outputWeight: 0 }
const random: ConvertSettings['mixer'] = { expand: 1, dState: 32, dConv: 4, headdim: 32, ngroups: 1 }
const mixerPhase = { updates: updates / 4, learningRate: 3e-3 }
/** Inherited mixers that learn alone to the end, in a fifth of the updates: how far the attention's own weights and its outputs go. */
const fifth: Partial<TrainingInput> = {
  updates: updates / 5,
  mixerPhase: { updates: updates / 5 - 1, learningRate: 1e-3 },
  schedule: { peak: 1e-4, warmupUpdates: 0, decay: 'cosine', floor: 1e-6 },
  evaluateEvery: 10,
}

interface Choice {
  readonly task?: Entry['task']
  readonly seed?: number
  readonly peak?: number
  readonly mixer?: ConvertSettings['mixer']
  readonly more?: Partial<TrainingInput>
}

/** The peaks that unguided conversions are given to choose from; the guided ones take the first. */
export const peaks = [3e-3, 1e-3] as const

const entry = (name: string, guidance: GuidanceInput, { task = 'digits', seed = 1, peak = peaks[0], mixer = random, more = {} }: Choice = {}): Entry => ({
  task,
  name,
  seed,
  guidance,
  mixer,
  training: {
    updates,
    batchSeconds: 30,
    schedule: { peak, warmupUpdates: 40, decay: 'cosine', floor: peak / 100 },
    weightDecay: 0.005,
    clipNorm: 1,
    freezeFrontend: true,
    evaluateEvery: 50,
    seed,
    ...more,
  },
})

/** Every conversion, those that the others are compared with first. All share data, data order by seed, updates, schedule and the frozen frontend they start with. */
export const plan: readonly Entry[] = [
  entry('target', target),
  ...peaks.map((peak) => entry(`unguided, peak ${peak}`, unguided, { peak })),
  ...[2, 3].flatMap((seed) => [entry('target', target, { seed }), ...peaks.map((peak) => entry(`unguided, peak ${peak}`, unguided, { seed, peak }))]),
  entry('unguided, frontend trained', unguided, { more: { freezeFrontend: false } }),
  entry('inherited mixers', target, { mixer: 'inherited' }),
  entry('inherited mixers, switched on', target, { mixer: 'inherited', more: { mixerSwitch: { after: updates / 8, over: updates / 4 } } }),
  entry('mixers alone first', target, { more: { mixerPhase } }),
  entry('inherited mixers, alone first', target, { mixer: 'inherited', more: { mixerPhase } }),
  ...[1, 2, 3].map((seed) => entry('inherited mixers, alone only, a fifth of the updates', target, { seed, mixer: 'inherited', more: fifth })),
  entry('averaged weights', target, { more: { averageDecay: 0.95 } }),
  entry('hybrid', { guidance: 'hybrid', ...weights, switchUpdate: updates / 2 }),
  entry('waypoint', { guidance: 'waypoint', ...weights, waypointUpdates: updates / 10 }),
  entry('trajectory', { guidance: 'trajectory', ...weights }),
  ...[1, 2, 3].flatMap((seed) => [
    entry('speakers, target', target, { task: 'speakers', seed, more: { evaluateEvery: 20 } }),
    ...peaks.map((peak) => entry(`speakers, unguided, peak ${peak}`, unguided, { task: 'speakers', seed, peak, more: { evaluateEvery: 20 } })),
  ]),
]

/** How the teacher of the speakers is fine-tuned from `digits`, with a new head. */
export const speakerTraining: TrainingInput = {
  updates: 400,
  batchSeconds: 30,
  schedule: { peak: 2e-3, warmupUpdates: 40, decay: 'cosine', floor: 2e-5 },
  weightDecay: 0.005,
  clipNorm: 1,
  freezeFrontend: true,
  evaluateEvery: 20,
  seed: 1,
}
