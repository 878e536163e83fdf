import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import type { TrainingInput } from '../engine/contract/index.ts'
import type { Entry } from './plan.ts'

/** What a run was measured at on the way, in seconds to the end, and the SHA-256 of what it ended with. */
export interface Measured {
  readonly evaluations: readonly Evaluation[]
  readonly seconds: number
  readonly stateSha256: string
}

/** Fractions: `wer` and `cer` of the digits, `accuracy` of the speakers. */
export interface Evaluation {
  readonly update: number
  readonly wer?: number
  readonly cer?: number
  readonly accuracy?: number
}

/** What one conversion came to. */
export interface Result extends Entry, Measured {}

export interface Results {
  /** The models that all conversions start from, by the SHA-256 of their weights, and the teacher's errors on the development data. */
  readonly teacher: { readonly sha256: string; readonly wer: number; readonly cer: number }
  readonly source: { readonly sha256: string }
  /** The fine-tuning of the teacher that tells speakers apart. */
  readonly speakerTeacher?: Measured & { readonly training: TrainingInput }
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
export const isOf = ({ task, name, seed, guidance, training, mixer }: Result, entry: Entry): boolean =>
  JSON.stringify([task, name, seed, guidance, training, mixer]) === JSON.stringify([entry.task, entry.name, entry.seed, entry.guidance, entry.training, entry.mixer])
