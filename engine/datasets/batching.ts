import { UsageError } from '../errors.ts'
import { CounterRandom } from '../random.ts'

export interface BatchOptions {
  /** Padded audio of a batch: rows × the longest, in seconds. */
  readonly maxSeconds: number
  readonly seed: number
}

interface Timed {
  readonly duration: number
  readonly id?: string
}

/** Utterances are sorted by length inside chunks of about this many batches, which keeps padding low and batches varied. */
const batchesPerChunk = 32

const cut = (indices: readonly number[], utterances: readonly Timed[], maxSeconds: number): number[][] => {
  const batches: number[][] = []
  let current: number[] = []
  let longest = 0
  for (const index of indices) {
    const { duration, id } = utterances[index]!
    if (duration > maxSeconds) throw new UsageError(`expected utterances of at most ${maxSeconds} s (--batch-seconds), found ${duration.toFixed(2)} s in ${id ?? index}`)
    const padded = Math.max(longest, duration) * (current.length + 1)
    if (current.length > 0 && padded > maxSeconds) {
      batches.push(current)
      current = []
      longest = 0
    }
    current.push(index)
    longest = Math.max(longest, duration)
  }
  if (current.length > 0) batches.push(current)
  return batches
}

/** One epoch of length-bucketed batches: every index once, in an order that (seed, epoch) alone decide. */
export const epochBatches = (utterances: readonly Timed[], { maxSeconds, seed }: BatchOptions, epoch: number): number[][] => {
  const order = new CounterRandom(seed, 'order', epoch).shuffle(utterances.map((_, index) => index))
  const mean = utterances.reduce((total, { duration }) => total + duration, 0) / utterances.length
  const chunk = Math.max(1, Math.ceil((maxSeconds / mean) * batchesPerChunk))
  const batches: number[][] = []
  for (let start = 0; start < order.length; start += chunk) {
    const sorted = order.slice(start, start + chunk).sort((a, b) => utterances[a]!.duration - utterances[b]!.duration || a - b)
    batches.push(...cut(sorted, utterances, maxSeconds))
  }
  return new CounterRandom(seed, 'batches', epoch).shuffle(batches)
}

/** Batches by length without shuffling, the longest first: for evaluation. */
export const sortedBatches = (utterances: readonly Timed[], maxSeconds: number): number[][] => {
  const order = utterances.map((_, index) => index).sort((a, b) => utterances[b]!.duration - utterances[a]!.duration || a - b)
  return cut(order, utterances, Math.max(maxSeconds, utterances[order[0]!]?.duration ?? 0))
}

/** Whether utterances of a batch differ in length, so that it takes padding. */
export const unequal = (batch: readonly Timed[]): boolean => batch.some(({ duration }) => duration !== batch[0]!.duration)

/** The batches of epoch after epoch, from batch `start` on; batch k depends on (seed, k) alone. */
export function* batchStream(utterances: readonly Timed[], options: BatchOptions, start = 0): Generator<number[]> {
  let before = 0
  for (let epoch = 0; ; epoch++) {
    const batches = epochBatches(utterances, options, epoch)
    yield* batches.slice(Math.max(0, start - before))
    before += batches.length
  }
}
