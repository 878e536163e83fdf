/** A word that a model heard, and when: seconds from the beginning of the utterance. */
export interface HeardWord {
  readonly text: string
  readonly start: number
  readonly end: number
}

/**
 * What became of a place in the reference; 'absent': this model has nothing here, and the reference neither. Without a reference the other
 * model stands in: the same word is a hit, another word a substitution, a word of one model alone an insertion.
 */
export type Verdict = 'hit' | 'substitution' | 'deletion' | 'insertion' | 'absent'

/** One place of two aligned transcripts; the reference is undefined where either inserts a word, and everywhere when nobody wrote down what was said. */
export interface Column {
  readonly reference: string | undefined
  readonly heard: readonly [HeardWord | undefined, HeardWord | undefined]
  readonly verdicts: readonly [Verdict, Verdict]
}

export interface ComparedUtterance {
  /** Place in the corpus, from 0. */
  readonly index: number
  readonly id: string
  readonly seconds: number
  /** What was said; undefined when nobody wrote it down. */
  readonly reference: string | undefined
  readonly hypotheses: readonly [string, string]
  /** Word errors of each against the reference. */
  readonly errors: readonly [number, number] | undefined
  /** Word edits from the one hypothesis to the other. */
  readonly distance: number
  readonly columns: readonly Column[]
}

export interface ComparedModel {
  readonly model: string
  /** Fractions; undefined without references. */
  readonly wer: number | undefined
  readonly cer: number | undefined
  /** Processing time / audio time. */
  readonly realTimeFactor: number
}

/** Two models on the same utterances. */
export interface SideBySide {
  readonly models: readonly [ComparedModel, ComparedModel]
  readonly audioSeconds: number
  /** WER of the second minus that of the first; the interval is a paired bootstrap's. Undefined without references. */
  readonly difference: { readonly difference: number; readonly low: number; readonly high: number; readonly confidence: number } | undefined
  /** Most different first. */
  readonly utterances: readonly ComparedUtterance[]
}

/** How long each of two models takes for speech of several lengths, and with how much memory. */
export interface ComparedLatency {
  readonly device: string
  readonly threads: number
  /** `model` is 0 or 1; seconds of speech, seconds of work, bytes of the process at its peak. */
  readonly points: readonly { readonly model: 0 | 1; readonly duration: number; readonly latency: number; readonly peakBytes: number }[]
  readonly failures: readonly { readonly model: 0 | 1; readonly duration: number; readonly error: string }[]
}

/** A comparison in the library. */
export interface Comparison extends SideBySide {
  readonly id: string
  readonly first: string
  readonly second: string
  readonly data: string
  readonly latency?: ComparedLatency | undefined
}
