import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { requireEmptyFolder } from '../checkpoint/index.ts'
import { MissingFileError, reasonOf, UsageError } from '../errors.ts'
import { digitStrings, speakersOf, writeSyntheticCorpus, type VoiceName } from '../synthesis/index.ts'
import type { JobContext } from './context.ts'

export interface SynthesiseSettings {
  readonly out: string
  /** So many strings of digits, or the lines of a file. */
  readonly say: { readonly digits: number } | { readonly file: string }
  readonly voices: readonly VoiceName[]
  /** Speakers made of each voice. */
  readonly variants: number
  /** Hz. */
  readonly rate: number
  readonly seed: number
}

export interface SyntheticCorpusSummary {
  readonly manifest: string
  readonly utterances: number
  readonly audioSeconds: number
}

/** Makes a corpus of synthetic speech on the machine. */
export const synthesise = async ({ out, say, voices, variants, rate, seed }: SynthesiseSettings, { signal, onEvent }: JobContext): Promise<SyntheticCorpusSummary> => {
  await requireEmptyFolder(out)
  const texts = 'digits' in say ? digitStrings(say.digits, seed, 'synthesise') : await linesOf(say.file)
  const speakers = speakersOf(voices, variants, seed)
  const onProgress = (done: number, total: number): void => { onEvent({ kind: 'progress', stage: 'synthesise', done, total }); }
  return { manifest: join(out, 'manifest.jsonl'), ...(await writeSyntheticCorpus(out, { texts, speakers, rate, seed }, { signal, onProgress })) }
}

const linesOf = async (path: string): Promise<string[]> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a text file, found ${reasonOf(error)}`)
  })
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  if (lines.length === 0) throw new UsageError(`${path}: expected a line of text at least, found none`)
  return lines
}
