import { UsageError } from '../errors.ts'
import { CounterRandom } from '../random.ts'

type Axis = 'time' | 'features'

interface Spans {
  /** Share of the axis that spans would cover if none overlapped; 0 masks nothing. */
  readonly probability: number
  /** Frames or features in a span. */
  readonly spanLength: number
  /** Spans to place at least, where they fit. */
  readonly minMasks: number
  readonly seed: number
  readonly update: number
  readonly microBatch: number
  /** Whose spans, where two models draw in one update; default: the student's. */
  readonly model?: 'teacher' | undefined
}

export interface TimeSpansInput extends Spans {
  /** Valid frames of each utterance. */
  readonly lengths: Int32Array
  /** Frames of the padded batch. */
  readonly frames: number
}

export interface FeatureSpansInput extends Spans {
  readonly batch: number
  readonly features: number
}

/**
 * SpecAugment over time (Park et al., 2019), [batch, frames] with 1 for a masked frame, by the rules of HF's _compute_mask_indices: an
 * utterance gets ⌊probability · length / spanLength + ε⌋ spans, ε uniform over [0, 1) and one for the batch, but at least minMasks and
 * no more than fit; their starts differ, the spans may overlap, none leaves the utterance, and an utterance shorter than a span stays
 * unmasked. UsageError for settings that make no sense.
 */
export function maskTimeSpans(input: TimeSpansInput): Uint8Array {
  const { lengths, frames } = input
  const wrong = lengths.find((length) => length < 0 || length > frames)
  if (wrong !== undefined) fail('time', `0 to ${frames} valid frames`, wrong)
  return maskSpans('time', lengths, frames, input)
}

/** SpecAugment over features, [batch, features] with 1 for a feature masked in all frames of an utterance; otherwise as `maskTimeSpans`. */
export function maskFeatureSpans(input: FeatureSpansInput): Uint8Array {
  const { batch, features, spanLength } = input
  if (spanLength > features) fail('features', `spans of at most ${features}`, spanLength)
  return maskSpans('features', new Int32Array(batch).fill(features), features, input)
}

function maskSpans(axis: Axis, lengths: Int32Array, size: number, spans: Spans): Uint8Array {
  checkSpans(axis, spans)
  const { probability, spanLength, minMasks, seed, update, microBatch, model } = spans
  const stream = model === undefined ? 'specAugment' : `${model}.specAugment`
  const mask = new Uint8Array(lengths.length * size)
  if (probability === 0) return mask
  const epsilon = new CounterRandom(seed, update, microBatch, stream, axis, 'rounding').nextFloat()
  lengths.forEach((length, row) => {
    const starts = Math.max(0, length - spanLength + 1)
    const wanted = Math.max(minMasks, Math.floor((probability * length) / spanLength + epsilon))
    // Both bounds are HF's: spans laid side by side fit into the padded axis, and each start is taken once.
    const count = Math.min(wanted, Math.floor(size / spanLength), starts)
    // A stream for each row: what one utterance draws does not move the next one's spans.
    const random = new CounterRandom(seed, update, microBatch, stream, axis, row)
    for (const start of distinct(random, count, starts)) {
      const from = row * size + start
      mask.fill(1, from, from + spanLength)
    }
  })
  return mask
}

/** `count` different numbers below n, each set of them equally likely (Floyd's algorithm; Bentley and Floyd, 1987). */
function distinct(random: CounterRandom, count: number, n: number): Set<number> {
  const chosen = new Set<number>()
  for (let last = n - count; last < n; last++) {
    const candidate = random.nextInt(last + 1)
    chosen.add(chosen.has(candidate) ? last : candidate)
  }
  return chosen
}

function checkSpans(axis: Axis, { probability, spanLength, minMasks }: Spans): void {
  if (!(probability >= 0 && probability <= 1)) fail(axis, 'a probability from 0 to 1', probability)
  if (!Number.isInteger(spanLength) || spanLength < 1) fail(axis, 'a span length of 1 or more', spanLength)
  if (!Number.isInteger(minMasks) || minMasks < 0) fail(axis, 'a least number of spans of 0 or more', minMasks)
}

function fail(axis: Axis, expected: string, found: number): never {
  throw new UsageError(`SpecAugment over ${axis}: expected ${expected}, found ${found}`)
}
