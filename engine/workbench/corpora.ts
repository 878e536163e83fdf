import { encodeWav, readRecording } from '../audio/index.ts'
import type { UtteranceRow } from '../contract/index.ts'
import { readCorpus, type Utterance } from '../datasets/index.ts'
import { UsageError } from '../errors.ts'

/** Hz of what a listener hears. */
const playedRate = 16000

/** Corpora that a window looks into: their lines, what is heard, and how it looks. */
export class Corpora {
  readonly #read = new Map<string, Promise<Utterance[]>>()

  of(path: string): Promise<Utterance[]> {
    const known = this.#read.get(path)
    if (known !== undefined) return known
    const reading = readCorpus(path)
    this.#read.set(path, reading)
    reading.catch(() => this.#read.delete(path))
    return reading
  }

  /** Lines whose transcript, speaker or name holds all words of `search`. */
  async rows(path: string, { search, offset, limit }: { search: string; offset: number; limit: number }): Promise<{ total: number; rows: UtteranceRow[] }> {
    const wanted = search.toLowerCase().split(/\s+/).filter((word) => word !== '')
    const all = (await this.of(path)).map((utterance, index) => ({ index, id: utterance.id, text: utterance.text ?? '', speaker: utterance.speaker ?? '', seconds: utterance.duration }))
    const found = wanted.length === 0 ? all : all.filter(({ id, text, speaker }) => {
      const where = `${text}\n${speaker}\n${id}`.toLowerCase()
      return wanted.every((word) => where.includes(word))
    })
    return { total: found.length, rows: found.slice(offset, offset + limit) }
  }

  async samples(path: string, index: number): Promise<Float32Array> {
    const utterance = (await this.of(path))[index]
    if (utterance === undefined) throw new UsageError(`expected an utterance of ${path}, found number ${index}`)
    const { audioPath, offset, duration } = utterance
    return readRecording(audioPath, playedRate, offset === undefined ? {} : { offset, duration })
  }

  /** One utterance as a WAV file. */
  async wav(path: string, index: number): Promise<Uint8Array> {
    return encodeWav(await this.samples(path, index), playedRate)
  }

  async peaks(path: string, index: number, buckets: number): Promise<{ seconds: number; peaks: number[] }> {
    const samples = await this.samples(path, index)
    const peaks = Array.from({ length: buckets }, (_, b) => {
      let largest = 0
      const end = Math.floor(((b + 1) * samples.length) / buckets)
      for (let i = Math.floor((b * samples.length) / buckets); i < end; i++) largest = Math.max(largest, Math.abs(samples[i]!))
      return Math.round(largest * 1000) / 1000
    })
    return { seconds: samples.length / playedRate, peaks }
  }
}
