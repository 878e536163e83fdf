import { basename } from 'node:path'
import { normaliseAudio, readRecording, throughChannel } from '../audio/index.ts'
import type { Utterance } from './utterance.ts'
import { rateAtSpeed } from './augmentation.ts'

export interface LoadOptions {
  /** Hz that recordings are brought to. */
  readonly samplingRate: number
  /** Whether each utterance is brought to zero mean and unit variance. */
  readonly normalise: boolean
}

export interface AudioBatch {
  readonly utterances: readonly Utterance[]
  /** [batch, samples], zero-padded. */
  readonly audio: Float32Array
  /** Valid samples of each row. */
  readonly lengths: Int32Array
}

/** The samples of one utterance as a model wants them. */
export const loadUtterance = async ({ audioPath, offset, duration, speed = 1, channel }: Utterance, { samplingRate, normalise }: LoadOptions): Promise<Float32Array> => {
  const recorded = await readRecording(audioPath, rateAtSpeed(samplingRate, speed), offset === undefined ? {} : { offset, duration: duration * speed })
  const samples = channel === undefined ? recorded : throughChannel(recorded, samplingRate, channel, `${basename(audioPath)}#${offset ?? 0}@${speed}`)
  return normalise ? normaliseAudio(samples) : samples
}

/** Reads, decodes and pads a batch. */
export const loadBatch = async (utterances: readonly Utterance[], options: LoadOptions): Promise<AudioBatch> => {
  const rows = await Promise.all(utterances.map((utterance) => loadUtterance(utterance, options)))
  const lengths = Int32Array.from(rows, (row) => row.length)
  const samples = Math.max(...lengths)
  const audio = new Float32Array(rows.length * samples)
  rows.forEach((row, b) => audio.set(row, b * samples))
  return { utterances, audio, lengths }
}
