import { CounterRandom } from '../random.ts'

/** Errors of two models on one utterance, and its reference words. */
export interface PairedErrors {
  readonly a: number
  readonly b: number
  readonly reference: number
}

export interface PairedDifference {
  /** Error rate of b minus that of a, as a fraction: below 0 b is the better one. */
  readonly difference: number
  /** The middle `confidence` of the differences over resampled corpora. */
  readonly low: number
  readonly high: number
  readonly confidence: number
  /** Share of the resampled corpora in which b makes fewer errors than a; those of equal errors count half. */
  readonly probabilityOfImprovement: number
}

/**
 * Paired bootstrap over utterances (Bisani & Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation"):
 * corpora of the same size are drawn with replacement, and both models are counted on each.
 */
export const pairedBootstrap = (utterances: readonly PairedErrors[], { resamples = 10_000, confidence = 0.95, seed = 1 } = {}): PairedDifference => {
  const differenceOf = (a: number, b: number, reference: number): number => (b - a) / Math.max(1, reference)
  const random = new CounterRandom(seed, 'bootstrap')
  const n = utterances.length
  const differences = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    let a = 0
    let b = 0
    let reference = 0
    for (let i = 0; i < n; i++) {
      const drawn = utterances[Math.floor(random.nextFloat() * n)]!
      a += drawn.a
      b += drawn.b
      reference += drawn.reference
    }
    differences[r] = differenceOf(a, b, reference)
  }
  differences.sort()
  const quantile = (share: number): number => differences[Math.min(resamples - 1, Math.floor(share * resamples))]!
  const total = (of: (utterance: PairedErrors) => number): number => utterances.reduce((sum, utterance) => sum + of(utterance), 0)
  const better = differences.reduce((count, value) => count + (value < 0 ? 1 : value === 0 ? 0.5 : 0), 0)
  return {
    difference: differenceOf(total(({ a }) => a), total(({ b }) => b), total(({ reference }) => reference)),
    low: quantile((1 - confidence) / 2),
    high: quantile((1 + confidence) / 2),
    confidence,
    probabilityOfImprovement: better / resamples,
  }
}
