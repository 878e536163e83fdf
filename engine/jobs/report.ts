import { basename, dirname, join, resolve } from 'node:path'
import { readJson, writeFileAtomic } from '../checkpoint/index.ts'
import { OutputError, UsageError } from '../errors.ts'
import { figuresOf } from '../evaluate/index.ts'
import { readRun, reportPage, type Report, type ReportRow, type RunRecord } from '../report/index.ts'
import { inspect } from './inspect.ts'
import { stat } from 'node:fs/promises'

export interface ReportSettings {
  readonly runs: readonly string[]
  /** The HTML file to write; it must not exist. */
  readonly out: string
}

/** Writes one page that compares runs: figures at their last evaluation, curves, words. */
export const report = async ({ runs: paths, out }: ReportSettings): Promise<{ report: string; runs: number }> => {
  if (await exists(out)) throw new OutputError(`${out}: expected a new file, found one`)
  const runs = named(await Promise.all(paths.map(readRun)))
  const rows = await Promise.all(runs.map(rowOf))
  const summary = `${runs.length === 1 ? 'One run' : `${runs.length} runs`}, each at its last evaluation on its development data.`
  await writeReport(out, { title: 'Runs compared', summary, rows, runs, transcripts: runs.map(({ name, transcripts }) => ({ name, utterances: transcripts })), latency: undefined })
  return { report: out, runs: runs.length }
}

export const writeReport = (out: string, content: Report): Promise<void> => writeFileAtomic(out, reportPage(content))

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Runs of one name in several folders get their folder's name too. */
const named = (runs: readonly RunRecord[]): RunRecord[] =>
  runs.map((run) => (runs.filter(({ name }) => name === run.name).length > 1 ? { ...run, name: `${basename(dirname(resolve(run.path)))}/${run.name}` } : run))

const rowOf = async ({ name, path, evaluations }: RunRecord): Promise<ReportRow> => {
  const last = evaluations.at(-1)
  if (last === undefined) throw new UsageError(`${path}: expected a run that came to an evaluation, found none in metrics.jsonl`)
  const best = join(path, 'best')
  const parameters = (await readJson(join(best, 'config.json'))) === undefined ? undefined : (await inspect(best)).parameters
  return { name, ...figuresOf(last), parameters, realTimeFactor: undefined, note: `update ${last.update}` }
}
