import { bool, float32, int32, type HostTensor } from '../runtime/index.ts'
import { frameCount, type Wav2Vec2Config } from './wav2vec2/config.ts'

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

/** Padded audio or features of a batch, and how much of each row is valid. */
export interface SpeechBatch {
  /** [batch, samples] or [batch, frames, channels], zero-padded. */
  readonly data: Float32Array
  readonly shape: readonly number[]
  /** Valid samples, or frames, of each row. */
  readonly lengths: Int32Array
}

/** The input `validFrames` of a group-norm frontend: 1 where a frame of the first convolution hears nothing but its utterance. */
export const validFramesTensor = ({ conv_kernel, conv_stride }: Wav2Vec2Config, { shape, lengths }: Pick<SpeechBatch, 'shape' | 'lengths'>): HostTensor => {
  const first = { conv_kernel: conv_kernel.slice(0, 1), conv_stride: conv_stride.slice(0, 1) }
  const frames = frameCount(first, shape[1]!)
  const valid = new Float32Array(lengths.length * frames)
  lengths.forEach((samples, b) => valid.fill(1, b * frames, b * frames + frameCount(first, samples)))
  return float32(valid, [lengths.length, 1, frames])
}
