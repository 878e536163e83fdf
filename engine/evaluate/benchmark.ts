/** Latency and memory of one model at one length of audio. */
export interface LatencyPoint {
  readonly model: string
  /** Seconds of audio. */
  readonly duration: number
  /** Median time of a transcription that starts at samples and ends with text, in seconds, and every time that was taken. */
  readonly latency: number
  readonly latencies: readonly number[]
  /** Most memory the process held while it did nothing else, and what it held before the first transcription; bytes. */
  readonly peakBytes: number
  readonly idleBytes: number
}

/** A length that a model could not be run at, and why. */
export interface LatencyFailure {
  readonly model: string
  readonly duration: number
  readonly error: string
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A recording said again and again until it is `length` samples long. */
export const repeated = (samples: Float32Array, length: number): Float32Array => Float32Array.from({ length }, (_, i) => samples[i % samples.length]!)
