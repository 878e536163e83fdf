/** What a job says while it runs. Front ends show these; none changes what the job does. */
export type JobEvent =
  | { readonly kind: 'note'; readonly message: string }
  | ProgressEvent
  | UpdateEvent
  | EvaluationEvent
  | TeacherEvent
  | { readonly kind: 'checkpoint'; readonly update: number; readonly path: string }

export interface ProgressEvent {
  readonly kind: 'progress'
  readonly stage: string
  readonly done: number
  readonly total: number
  readonly secondsLeft?: number
}

/**
 * What a model was measured at, as fractions; which of them there are is up to its task. `accuracy` is the share of utterances whose
 * labels are all right, `accuracyOf` that of each label set.
 */
export interface Figures {
  readonly wer?: number
  readonly cer?: number
  readonly accuracy?: number
  readonly accuracyOf?: Readonly<Record<string, number>>
}

/** A task's own loss in an update: CTC summed / characters, or cross entropy / (utterances × label sets). */
export interface TaskLosses {
  readonly ctc?: number
  readonly crossEntropy?: number
}

/** One optimiser update, as it also stands in metrics.jsonl. */
export interface UpdateEvent extends TaskLosses {
  readonly kind: 'update'
  /** 1-based. */
  readonly update: number
  readonly updates: number
  readonly loss: number
  /** α · mean layerwise loss, and the loss of each layer before weighting; absent without a teacher. */
  readonly layerwise?: number
  readonly alignment?: readonly number[]
  /** β · output distillation. */
  readonly output?: number
  readonly learningRate: number
  /** Before clipping. */
  readonly gradientNorm: number
  /** Valid audio of the update, in seconds, and seconds of audio a second of time. */
  readonly audioSeconds: number
  readonly audioSecondsPerSecond: number
  /** When it was done, in milliseconds since 1970; absent in runs of older versions. */
  readonly at?: number
  /** Resident memory of the process after the update, in bytes. */
  readonly memoryBytes: number
  /** Utterances whose transcript does not fit their frames; they take no part. */
  readonly infeasible: number
  readonly secondsLeft: number
}

export interface EvaluationEvent extends Figures {
  readonly kind: 'evaluation'
  readonly update: number
  readonly best: boolean
}

/** The teacher changes before an update (1-based): its path or what is left of it, and how well a new one does on the development data. */
export interface TeacherEvent extends Figures {
  readonly kind: 'teacher'
  readonly update: number
  readonly teacher: string
}

export type OnEvent = (event: JobEvent) => void
