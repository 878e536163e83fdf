import { z } from 'zod'

const seconds = z.number().positive()
const count = z.int().positive()
const fraction = z.number().min(0).max(1)

/** How the learning rate moves over updates; the first update of a warm-up has learning rate 0. */
export const scheduleSchema = z.strictObject({
  peak: z.number().positive().describe('learning rate after the warm-up'),
  warmupUpdates: z.int().nonnegative().describe('updates over which it rises from 0'),
  plateauUpdates: z.int().nonnegative().optional().describe('updates at the peak before it falls; default: none'),
  decay: z.enum(['none', 'linear', 'cosine', 'exponential']).describe('how it falls after the warm-up'),
  decayUpdates: count.optional().describe('updates over which it falls; default: those left after warm-up and plateau'),
  floor: z.number().nonnegative().describe('learning rate after the decay'),
})

/** What fine-tuning and conversion share. */
export const trainingSchema = z.strictObject({
  updates: count.describe('updates in all'),
  batchSeconds: seconds.describe('padded audio in one micro-batch, in seconds'),
  microBatches: count.default(1).describe('micro-batches whose gradients make one update'),
  schedule: scheduleSchema,
  weightDecay: z.number().nonnegative().describe('decoupled weight decay'),
  decayScope: z
    .enum(['standard', 'authors'])
    .optional()
    .describe('what the weight decay shrinks; standard (the default): matrices and kernels; authors: all but biases and the parameters of modules named layer_norm'),
  clipNorm: z.number().positive().describe('largest global norm of a gradient'),
  freezeFrontend: z.boolean().describe('keep the convolutional frontend as it is and cache its features'),
  evaluateEvery: count.describe('updates between evaluations and checkpoints'),
  keepCheckpoints: count.default(2).describe('newest checkpoints that are kept'),
  patience: count.optional().describe('evaluations without a better model (WER, accuracy) after which the run ends; default: never'),
  skipNonFinite: z.int().nonnegative().default(0).describe('updates of a loss or gradient that is not finite that are skipped before the run stops'),
  averageDecay: z.number().min(0).lt(1).optional().describe('decay of an exponential average of the weights, which is then what is evaluated and kept; default: none'),
  mixerPhase: z
    .strictObject({ updates: count.describe('of all updates, those in which each mixer is trained alone'), learningRate: z.number().positive().describe('learning rate there, risen to over its first tenth') })
    .optional()
    .describe('a first phase that trains each mixer alone, on the inputs of its layer in the model it starts from, towards the output of the attention there; default: none'),
  mixerSwitch: z
    .strictObject({ after: z.int().nonnegative().describe('updates before it begins'), over: count.describe('updates over which it goes from nothing to Mamba2’s') })
    .optional()
    .describe('inherited mixers: when Mamba2’s activation, gate and norm are switched on; default: never'),
  waypointEvery: count.optional().describe('updates between snapshots that are kept, for waypoint guidance; default: none'),
  seed: z.int().nonnegative(),
  /** Regularisation; where absent, the model's config.json decides. */
  dropout: z
    .strictObject({ hidden: fraction, activation: fraction, attention: fraction, featureProjection: fraction, final: fraction })
    .partial()
    .default({})
    .describe('dropout probabilities; default: those of the model'),
  specAugment: z
    .strictObject({ timeProbability: fraction, timeLength: count, timeMinMasks: z.int().nonnegative(), featureProbability: fraction, featureLength: count, featureMinMasks: z.int().nonnegative() })
    .partial()
    .default({})
    .describe('SpecAugment spans; default: those of the model'),
  layerDrop: fraction.optional().describe('probability that an encoder layer is left out of an update’s micro-batch; default: layerdrop of the model’s config.json, else 0'),
  firstUtterances: z
    .strictObject({
      updates: count.describe('first updates that it holds for'),
      maxSeconds: seconds.optional().describe('longest utterance'),
      minCharacters: z.int().nonnegative().optional().describe('shortest transcript'),
    })
    .optional()
    .describe('which training utterances the first updates hear; default: all'),
  speeds: z.array(z.number().min(0.5).max(2)).min(1).default([1]).describe('speeds at which every training utterance is heard'),
  channels: z.int().nonnegative().default(0).describe('random channels (an equaliser and noise) through which every training utterance is heard, besides as it is'),
  featureCacheBytes: z.int().nonnegative().default(2 ** 31).describe('memory for cached frontend features, in bytes'),
})
export type TrainingSettings = z.infer<typeof trainingSchema>
/** Training settings as a caller writes them down: what has a default may be left out. */
export type TrainingInput = z.input<typeof trainingSchema>
export type ScheduleSettings = z.infer<typeof scheduleSchema>

export const guidanceNames = ['unguided', 'target', 'trajectory', 'waypoint', 'hybrid'] as const
export type GuidanceName = (typeof guidanceNames)[number]

/** How the teacher guides, in the effective values of the design's formulas. */
export const guidanceSchema = z.strictObject({
  guidance: z.enum(guidanceNames),
  layerwiseWeight: z.number().nonnegative().describe('α: weight of the mean layerwise alignment loss'),
  outputWeight: z.number().nonnegative().describe('β: weight of the output distillation'),
  teacherEvery: count.default(1).describe('trajectory: the teacher learns once every so many updates of the student'),
  teacherMode: z
    .enum(['evaluation', 'training'])
    .optional()
    .describe('how the teacher hears: evaluation (the default), without dropout and with the student’s SpecAugment spans; training, with the student’s probabilities and draws of its own'),
  waypointUpdates: count.optional().describe('waypoint: updates of the student from one snapshot to the next; default: as many as the teacher made between them'),
  switchUpdate: count.optional().describe('hybrid: updates after which the layerwise alignment ends'),
  keepOutput: z.boolean().default(false).describe('hybrid: whether the output distillation goes on behind the switch'),
})
export type GuidanceSettings = z.infer<typeof guidanceSchema>
/** The same for guidance. */
export type GuidanceInput = z.input<typeof guidanceSchema>

export const mixerSchema = z.strictObject({
  expand: count,
  dState: count,
  dConv: count,
  headdim: count,
  ngroups: count,
  convActivation: z.enum(['silu', 'none']).default('silu').describe('activation behind the convolution'),
  gate: z.enum(['silu', 'none']).default('silu').describe('gate of the scan’s output'),
  norm: z.enum(['rms', 'none']).default('rms').describe('norm before the output projection'),
  blend: z.boolean().optional().describe('whether activation, gate and norm count by a share that a run raises from 0 to 1'),
})
export type MixerSettings = z.infer<typeof mixerSchema>
/** The same as a caller writes it down. */
export type MixerInput = z.input<typeof mixerSchema>

export const textSchema = z.strictObject({
  case: z.enum(['auto', 'upper', 'lower', 'keep']).default('auto').describe('case that transcripts are brought to; auto: that of the vocabulary'),
  unknown: z.enum(['error', 'unk', 'drop']).default('error').describe('what becomes of a character outside the vocabulary'),
})
export type TextSettings = z.infer<typeof textSchema>

/** Heads that an utterance classifier may get: HF's (one label set), or the CALD authors' (any number). */
export const classificationHeadKinds = ['projector', 'direct'] as const
export type ClassificationHeadKind = (typeof classificationHeadKinds)[number]

export const deviceSchema = z.enum(['auto', 'cpu', 'webgpu'])

/** Float types that gradients may be computed in; parameters are kept in float32. */
export const precisionNames = ['auto', 'float32', 'float16'] as const
export type PrecisionName = (typeof precisionNames)[number]
