import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeWav } from '../audio/index.ts'
import { writeFolderAtomic, writeNewFile } from '../checkpoint/index.ts'
import { InterruptedError } from '../errors.ts'
import { CounterRandom } from '../random.ts'
import { Flite } from './flite.ts'
import type { Speaker } from './speakers.ts'

export interface SyntheticCorpus {
  readonly texts: readonly string[]
  readonly speakers: readonly Speaker[]
  /** Hz of the recordings. */
  readonly rate: number
  readonly seed: number
}

/**
 * Speaks each text in a speaker's voice and writes WAV files with a manifest.jsonl into a new folder: complete or absent.
 * Which speaker says what depends on (seed, number of the text).
 */
export const writeSyntheticCorpus = async (
  out: string,
  { texts, speakers, rate, seed }: SyntheticCorpus,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
): Promise<{ utterances: number; audioSeconds: number }> => {
  const flite = await Flite.open()
  let audioSeconds = 0
  await writeFolderAtomic(out, async (folder) => {
    await mkdir(join(folder, 'wav'))
    const lines: string[] = []
    for (const [n, text] of texts.entries()) {
      if (signal.aborted) throw new InterruptedError(`stopped after ${n} of ${texts.length} utterances; nothing was kept`)
      const speaker = speakers[Math.floor(new CounterRandom(seed, 'who speaks', n).nextFloat() * speakers.length)]!
      const samples = await flite.speak(text.toLowerCase(), speaker, rate)
      const path = `wav/${String(n).padStart(5, '0')}-${speaker.name}.wav`
      await writeNewFile(join(folder, path), encodeWav(samples, rate))
      audioSeconds += samples.length / rate
      lines.push(JSON.stringify({ audio_filepath: path, duration: samples.length / rate, text, speaker: speaker.name }))
      onProgress(n + 1, texts.length)
    }
    await writeNewFile(join(folder, 'manifest.jsonl'), `${lines.join('\n')}\n`)
  })
  return { utterances: texts.length, audioSeconds }
}
