import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import type { Entry } from './plan.ts'

/** What one conversion came to; fractions. */
export interface Result extends Entry {
  readonly evaluations: readonly { readonly update: number; readonly wer: number; readonly cer: number }[]
  readonly seconds: number
  readonly stateSha256: string
}

export interface Results {
  /** The models that all conversions start from, by the SHA-256 of their weights, and the teacher's errors on the development data. */
  readonly teacher: { readonly sha256: string; readonly wer: number; readonly cer: number }
  readonly source: { readonly sha256: string }
  /** SHA-256 of the manifests. */
  readonly data: { readonly train: string; readonly dev: string }
  readonly results: readonly Result[]
}

const path = fileURLToPath(new URL('results.json', import.meta.url))

/** The committed raw figures, or undefined before the first of them. */
export const readResults = async (): Promise<Results | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Results)
}

export const writeResults = (results: Results): Promise<void> => writeFileAtomic(path, `${JSON.stringify(results, null, 1)}\n`)

/** Whether a result is that of an entry as the plan has it today. */
export const isOf = ({ name, seed, guidance, training, mixer }: Result, entry: Entry): boolean =>
  JSON.stringify([name, seed, guidance, training, mixer]) === JSON.stringify([entry.name, entry.seed, entry.guidance, entry.training, entry.mixer])
