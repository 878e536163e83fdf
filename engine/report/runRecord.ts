import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { EvaluationEvent, JobEvent, UpdateEvent } from '../contract/index.ts'
import { readJson } from '../checkpoint/index.ts'
import type { Transcribed } from '../distill/index.ts'
import { MissingFileError, reasonOf } from '../errors.ts'

/** What a run folder tells about its run. */
export interface RunRecord {
  readonly name: string
  readonly path: string
  /** run.json: settings, guidance, text, lineage. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly updates: readonly UpdateEvent[]
  readonly evaluations: readonly EvaluationEvent[]
  /** Of the newest evaluation; none in a run that has not come to one. */
  readonly transcripts: readonly Transcribed[]
}

/** Reads a run folder; a line that a running trainer has not finished is left out. MissingFileError when it is none. */
export const readRun = async (path: string): Promise<RunRecord> => {
  const settings = (await readJson(join(path, 'run.json'))) as Record<string, unknown> | undefined
  if (settings === undefined) throw new MissingFileError(`${path}: expected a run's folder, found no run.json`)
  const text = await readFile(join(path, 'metrics.jsonl'), 'utf8').catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected metrics.jsonl, found ${reasonOf(error)}`)
  })
  const events = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JobEvent)
  const transcripts = (await readJson(join(path, 'transcripts.json'))) as { utterances: Transcribed[] } | undefined
  return {
    name: basename(resolve(path)),
    path,
    settings,
    updates: events.filter((event) => event.kind === 'update'),
    evaluations: events.filter((event) => event.kind === 'evaluation'),
    transcripts: transcripts?.utterances ?? [],
  }
}
