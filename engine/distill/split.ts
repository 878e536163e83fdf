import { OutOfMemoryError } from '../errors.ts'
import type { SpeechBatch } from '../models/index.ts'
import { float32 } from '../runtime/index.ts'
import type { MicroBatch } from './microBatches.ts'
import type { TrainingBatch } from './objective.ts'
import type { HiddenSpans, MaskSource } from './runner.ts'

/**
 * A micro-batch in two halves that together teach what it teaches: their padding, masks and spans are its own, row by row.
 * TypeError for one of a single utterance.
 */
export const halvesOf = ({ utterances, batch }: MicroBatch): readonly [MicroBatch, MicroBatch] => {
  const rows = utterances.length
  if (rows < 2) throw new TypeError('expected a micro-batch of two utterances or more, found one')
  const middle = Math.ceil(rows / 2)
  const part = (from: number, to: number): MicroBatch => ({ utterances: utterances.slice(from, to), batch: rowsOf(batch, from, to) })
  return [part(0, middle), part(middle, rows)]
}

const rowsOf = (whole: TrainingBatch, from: number, to: number): TrainingBatch => {
  const rows = whole.batch
  const ofEach = <T extends Float32Array | Uint8Array>(data: T): T => data.subarray((data.length / rows) * from, (data.length / rows) * to) as T
  const shapeOf = (shape: readonly number[]): number[] => [to - from, ...shape.slice(1)]
  const audioOf = ({ data, shape, lengths }: SpeechBatch): SpeechBatch => ({ data: ofEach(data), shape: shapeOf(shape), lengths: lengths.subarray(from, to) })
  const part =
    (source: MaskSource): MaskSource =>
    (site, shape, probability) =>
      ofEach(source(site, [rows, ...shape.slice(1)], probability))
  const spansOf = ({ time, feature }: HiddenSpans): HiddenSpans => ({ time: time === undefined ? undefined : ofEach(time), feature: feature === undefined ? undefined : ofEach(feature) })
  const { spans, teacherSpans, features } = whole
  return {
    ...whole,
    batch: to - from,
    lengths: whole.lengths.subarray(from, to),
    audio: whole.audio === undefined ? undefined : audioOf(whole.audio),
    features: features === undefined ? undefined : float32(ofEach(features.data as Float32Array), shapeOf(features.shape)),
    targets: whole.targets.slice(from, to),
    spans: spansOf(spans),
    teacherSpans: teacherSpans === undefined ? undefined : spansOf(teacherSpans),
    masks: part(whole.masks),
    part: (source) => part(whole.part?.(source) ?? source),
  }
}

/** A micro-batch of an update, or some rows of it. */
export interface Piece {
  /** Of the micro-batch in its update. */
  readonly index: number
  readonly microBatch: MicroBatch
}

const sizeOf = ({ batch }: MicroBatch): number => batch.batch * batch.frames

/** V8's words for an array that it has no memory for. */
const isOutOfMemory = (error: unknown): boolean => error instanceof OutOfMemoryError || (error instanceof RangeError && /allocation failed|invalid .*array length/i.test(error.message))

/** What fits in memory, as the run finds out. */
export class MemoryLimit {
  readonly #note: (message: string) => void
  /** Padded frames of the smallest micro-batch that did not fit. */
  #tooLarge = Infinity

  constructor(note: (message: string) => void) {
    this.#note = note
  }

  /**
   * Attempts an update with its micro-batches, halved as far as earlier ones did not fit, and again with smaller halves while memory does not suffice.
   * OutOfMemoryError when it does not for a single utterance.
   */
  async fit(microBatches: readonly MicroBatch[], attempt: (pieces: readonly Piece[]) => Promise<void>): Promise<void> {
    for (;;) {
      const pieces = microBatches.flatMap((microBatch, index) => this.#piecesOf(microBatch, index))
      try {
        await attempt(pieces)
        return
      } catch (error) {
        if (!isOutOfMemory(error)) throw error
        const largest = pieces.reduce((most, piece) => (sizeOf(piece.microBatch) > sizeOf(most.microBatch) ? piece : most)).microBatch
        const [utterance] = largest.utterances
        if (largest.utterances.length === 1) {
          throw new OutOfMemoryError(`${utterance!.id}: expected memory for ${utterance!.duration.toFixed(1)} s of audio at once, found too little; leave out recordings of that length`, { cause: error })
        }
        this.#tooLarge = sizeOf(largest)
        this.#note(`a batch of ${largest.utterances.length} utterances did not fit in memory; batches of ${sizeOf(largest)} frames and more are halved from here`)
      }
    }
  }

  #piecesOf(microBatch: MicroBatch, index: number): Piece[] {
    if (sizeOf(microBatch) < this.#tooLarge || microBatch.utterances.length === 1) return [{ index, microBatch }]
    return halvesOf(microBatch).flatMap((half) => this.#piecesOf(half, index))
  }
}
