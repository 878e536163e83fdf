import type { Conversion, Preferences } from './conversion.ts'
import type { EvaluationEvent, JobEvent } from './events.ts'

/** What a model folder holds. */
export interface ModelFacts {
  readonly architecture: string
  readonly mixer: string
  readonly layers: number
  readonly hiddenSize: number
  readonly vocabulary: number
  /** In words; a body alone has none. */
  readonly head?: string | undefined
  readonly samplingRate: number
  readonly parameters: number
  readonly parametersByPart: Readonly<Record<string, number>>
}

/** SHA-256s of weights, by which a model finds its ancestors in the library wherever they lie. */
export interface Recorded {
  readonly weightsSha256: string
  readonly teacherSha256?: string | undefined
  readonly sourceSha256?: string | undefined
  readonly guidance?: string | undefined
}

export interface ModelEntry {
  readonly id: string
  readonly name: string
  readonly path: string
  readonly origin: 'bundled' | 'imported' | 'run'
  readonly kind: 'transformer' | 'student'
  /** The run that made it, and what it was made of, by id. */
  readonly run?: string | undefined
  readonly teacher?: string | undefined
  readonly data?: string | undefined
  /** What its files say of where it came from. */
  readonly recorded?: Recorded | undefined
  readonly addedAt: string
  readonly removed: boolean
  readonly facts: ModelFacts
  readonly files: readonly { readonly name: string; readonly bytes: number }[]
  readonly evaluations: readonly { readonly data: string; readonly wer: number; readonly cer: number; readonly realTimeFactor: number }[]
}

/** What a corpus holds. */
export interface DataFacts {
  readonly utterances: number
  readonly seconds: number
  readonly speakers: number
  /** Durations in seconds: [from, to) and how many. */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly count: number }[]
  readonly warnings: readonly string[]
}

export interface DataEntry {
  readonly id: string
  readonly name: string
  readonly path: string
  /** The audio file, when this is no corpus but a recording to listen to, without a transcript. */
  readonly recording?: string | undefined
  /** The corpus that it is a part of, and how that was divided. */
  readonly split?: { readonly of: string; readonly part: 'train' | 'dev' | 'test'; readonly by: 'speaker' | 'utterance'; readonly seed: number } | undefined
  readonly addedAt: string
  readonly removed: boolean
  readonly facts: DataFacts
}

export interface UtteranceRow {
  readonly index: number
  readonly id: string
  readonly text: string
  readonly speaker: string
  readonly seconds: number
}

export type RunState = 'queued' | 'running' | 'paused' | 'stopped' | 'interrupted' | 'failed' | 'done'

export interface RunEntry {
  readonly id: string
  readonly name: string
  readonly path: string
  readonly state: RunState
  readonly conversion: Conversion
  readonly createdAt: string
  readonly update: number
  readonly wer: number | undefined
  /** What it does now, in words, when it is not yet at its updates. */
  readonly stage: string | undefined
  readonly secondsLeft: number | undefined
  /** Why it stopped. */
  readonly error: string | undefined
  /** The model it made. */
  readonly student: string | undefined
  readonly removed?: boolean | undefined
}

/** Something that a run said, and when (ISO 8601). */
export interface LogLine {
  readonly at: string
  readonly event: JobEvent
}

/** Columns of a run's metrics, one value an update. */
export interface RunMetrics {
  readonly update: readonly number[]
  /** Seconds of computing since the first update. */
  readonly seconds: readonly number[]
  /** Seconds on the clock since the first update was done, breaks included; null for updates of older versions. */
  readonly clock: readonly (number | null)[]
  readonly memoryBytes: readonly number[]
  readonly loss: readonly number[]
  /** The task's own loss, and what it is called: CTC, cross entropy. */
  readonly task: readonly number[]
  readonly taskLabel: string
  readonly layerwise: readonly (number | null)[]
  readonly output: readonly (number | null)[]
  readonly learningRate: readonly number[]
  readonly gradientNorm: readonly number[]
  readonly audioSecondsPerSecond: readonly number[]
  readonly alignment: readonly (readonly number[] | null)[]
  readonly evaluations: readonly EvaluationEvent[]
  /** Reference and hypothesis of development utterances at the newest evaluation. */
  readonly samples: readonly { readonly id: string; readonly reference: string; readonly hypothesis: string }[]
  readonly log: readonly LogLine[]
}

export interface ComparisonEntry {
  readonly id: string
  readonly first: string
  readonly second: string
  readonly data: string
  readonly createdAt: string
  readonly state: 'running' | 'done' | 'failed'
  readonly progress: number
  readonly error: string | undefined
  readonly removed?: boolean | undefined
  /** Its measurement of latency and memory, once one was asked for. */
  readonly latency?: { readonly state: 'running' | 'done' | 'failed'; readonly progress: number; readonly error: string | undefined } | undefined
}

export interface FirstMinute {
  readonly state: 'idle' | 'running' | 'done' | 'failed'
  readonly step: string
  /** 0 … 1 */
  readonly progress: number
  readonly comparison: string | undefined
  readonly error: string | undefined
}

/** Everything a window shows but the contents of a corpus, a run or a comparison. */
export interface Library {
  readonly models: readonly ModelEntry[]
  readonly data: readonly DataEntry[]
  readonly runs: readonly RunEntry[]
  readonly comparisons: readonly ComparisonEntry[]
  readonly firstMinute: FirstMinute
  readonly preferences: Preferences
}
