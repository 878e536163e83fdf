import { BatchLoader, loadBatch, type LoadOptions, type Utterance } from '../datasets/index.ts'
import type { SpeechBatch } from '../models/index.ts'
import type { Device } from '../runtime/index.ts'
import type { StageRunner } from './runner.ts'

/**
 * What a frozen frontend makes of each utterance, kept in memory up to a limit. Utterances pass the frontend one by one, so their
 * features do not depend on the batch they came in, and a resumed run sees the same bits.
 */
export class FeatureStore {
  readonly #device: Device
  readonly #runner: StageRunner
  readonly #options: LoadOptions
  readonly #features = new Map<string, Float32Array>()
  #room: number

  constructor(device: Device, runner: StageRunner, options: LoadOptions, bytes: number) {
    this.#device = device
    this.#runner = runner
    this.#options = options
    this.#room = bytes
  }

  /** Fills the store, loading ahead of the frontend, until all utterances are in or the memory is used up. */
  async prepare(utterances: readonly Utterance[], onProgress: (done: number, total: number) => void, signal: AbortSignal): Promise<void> {
    const missing = utterances.filter((utterance) => !this.#features.has(keyOf(utterance)))
    const loader = new BatchLoader(this.#options)
    let done = 0
    try {
      for await (const { utterances: [utterance], audio } of loader.load(missing.map((one) => [one]))) {
        await this.#compute(utterance!, audio)
        onProgress(++done, missing.length)
        if (this.#room <= 0 || signal.aborted) return
      }
    } finally {
      await loader.close()
    }
  }

  /** The features of a batch: [batch, frames, channels], zero-padded. Those that did not fit are computed again. */
  async batch(utterances: readonly Utterance[]): Promise<SpeechBatch> {
    const channels = this.#runner.model.config.conv_dim.at(-1)!
    const rows: Float32Array[] = []
    for (const utterance of utterances) {
      rows.push(this.#features.get(keyOf(utterance)) ?? (await this.#compute(utterance, (await loadBatch([utterance], this.#options)).audio)))
    }
    const lengths = Int32Array.from(rows, (row) => row.length / channels)
    const frames = Math.max(...lengths)
    const data = new Float32Array(rows.length * frames * channels)
    rows.forEach((row, b) => data.set(row, b * frames * channels))
    return { data, shape: [rows.length, frames, channels], lengths }
  }

  async #compute(utterance: Utterance, audio: Float32Array): Promise<Float32Array> {
    const tensor = await this.#runner.frontend({ data: audio, shape: [1, audio.length], lengths: Int32Array.of(audio.length) })
    const features = (await this.#device.read(tensor)).data as Float32Array
    tensor.dispose()
    this.#room -= features.byteLength
    if (this.#room > 0) this.#features.set(keyOf(utterance), features)
    return features
  }
}

const keyOf = ({ audioPath, offset, duration, speed, channel }: Utterance): string => `${audioPath}#${offset ?? 0}+${duration}@${speed ?? 1}~${channel ?? 0}`
