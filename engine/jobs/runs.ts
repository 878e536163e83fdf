import { readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { readJson, writeFileAtomic } from '../checkpoint/index.ts'
import type { Figures } from '../contract/index.ts'
import { MissingFileError, reasonOf } from '../errors.ts'
import { figuresOf, isBetter } from '../evaluate/index.ts'
import { metricsCsv, readRun } from '../report/index.ts'

export interface RunsSettings {
  /** A run's folder, or a folder of runs. */
  readonly folder: string
  /** Where to write the metrics of all of them as CSV. */
  readonly csv: string | undefined
}

export interface RunSummary {
  readonly name: string
  readonly path: string
  readonly guidance: string
  readonly update: number
  readonly updates: number
  /** Whether last/ was written: the run came to its end. */
  readonly finished: boolean
  /** At the best and at the newest evaluation; undefined before the first. */
  readonly best: Figures | undefined
  readonly last: Figures | undefined
}

const isRun = async (folder: string): Promise<boolean> => (await readJson(join(folder, 'run.json'))) !== undefined

/** The run that a folder is, or the runs in it. */
const runFolders = async (folder: string): Promise<string[]> => {
  if (await isRun(folder)) return [folder]
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new MissingFileError(`${folder}: expected a folder of runs, found ${reasonOf(error)}`)
  })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))
  const found = []
  for (const path of folders.sort()) if (await isRun(path)) found.push(path)
  return found
}

/** What became of each run. */
export const runs = async ({ folder, csv }: RunsSettings): Promise<RunSummary[]> => {
  const records = await Promise.all((await runFolders(folder)).map(readRun))
  if (csv !== undefined) await writeFileAtomic(csv, metricsCsv(records))
  return Promise.all(
    records.map(async ({ path, settings, updates, evaluations }) => {
      const { guidance, settings: training } = settings as { guidance: { guidance: string } | null; settings: { updates: number } }
      const figures = evaluations.map(figuresOf)
      return {
        name: basename(resolve(path)),
        path,
        guidance: guidance?.guidance ?? 'fine-tuning',
        update: updates.at(-1)?.update ?? 0,
        updates: training.updates,
        finished: (await readJson(join(path, 'last', 'config.json'))) !== undefined,
        best: figures.length === 0 ? undefined : figures.reduce((best, one) => (isBetter(one, best) ? one : best)),
        last: figures.at(-1),
      }
    }),
  )
}
