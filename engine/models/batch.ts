import { bool, int32, type HostTensor } from '../runtime/index.ts'

/** Lengths of a padded batch in frames: `lengths[b]` valid ones out of `frames`. */
export interface BatchFrames {
  readonly batch: number
  readonly frames: number
  readonly lengths: Int32Array
}

/** The inputs `valid` and `reversal` of nn's Padding. */
export const paddingTensors = ({ batch, frames, lengths }: BatchFrames): { valid: HostTensor; reversal: HostTensor } => {
  const valid = new Uint8Array(batch * frames)
  const reversal = new Int32Array(batch * frames)
  for (let b = 0; b < batch; b++) {
    const length = lengths[b]!
    const start = b * frames
    valid.fill(1, start, start + length)
    for (let t = 0; t < frames; t++) reversal[start + t] = start + (t < length ? length - 1 - t : t)
  }
  return { valid: bool(valid, [batch, frames]), reversal: int32(reversal, [batch * frames]) }
}
