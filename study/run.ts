/**
 * Runs the conversions of the plan that study/results.json does not have yet, one after the other; interrupted, it goes on where it was.
 *     npm run study -- --digits FOLDER [--waypoints FOLDER] [--only NAME]… [--out FOLDER] [--threads N]
 */
import { join } from 'node:path'
import { Command } from 'commander'
import { sha256OfFile, sha256OfWeights } from '../engine/checkpoint/index.ts'
import { showProgress } from '../engine/cli/progress.ts'
import { bundledModel } from '../engine/jobs/bundled.ts'
import { convert, evaluate, finetune, type JobContext, type TrainingSummary } from '../engine/jobs/index.ts'
import { percent, readRun } from '../engine/report/index.ts'
import { plan, speakerTraining, type Entry } from './plan.ts'
import { isOf, readResults, writeResults, type Measured, type Result, type Results } from './results.ts'

interface Flags {
  digits: string
  waypoints?: string
  only?: string[]
  out: string
  threads: number
}

const flags = new Command()
  .requiredOption('--digits <folder>', 'the digits corpus: train.jsonl and dev.jsonl')
  .option('--waypoints <folder>', 'snapshots of the teacher’s training (training/README.md)')
  .option('--only <names...>', 'rows of the plan to run')
  .option('--out <folder>', 'where the runs are kept', 'runs/study')
  .option('--threads <n>', 'threads', Number, 2)
  .parse()
  .opts<Flags>()

const abort = new AbortController()
process.once('SIGINT', () => {
  abort.abort()
})
const shown = showProgress(process.stderr)
const context: JobContext = { signal: abort.signal, onEvent: shown.onEvent }
const say = (line: string): void => {
  shown.end()
  process.stdout.write(`${line}\n`)
}

const [teacher, source] = [bundledModel('digits'), bundledModel('source')]
const [train, dev] = [join(flags.digits, 'train.jsonl'), join(flags.digits, 'dev.jsonl')]
const compute = { device: 'cpu', threads: flags.threads } as const
const text = { case: 'auto', unknown: 'error' } as const

const begin = async (): Promise<Results> => {
  const { wer, cer } = await evaluate({ ...compute, model: teacher, data: dev, batchSeconds: 60, text }, context)
  return {
    teacher: { sha256: await sha256OfWeights(teacher), wer: wer!, cer: cer! },
    source: { sha256: await sha256OfWeights(source) },
    data: { train: await sha256OfFile(train), dev: await sha256OfFile(dev) },
    results: [],
  }
}

const measured = async ({ out, seconds, stateSha256 }: TrainingSummary): Promise<Measured> => {
  const { evaluations } = await readRun(out)
  return { evaluations: evaluations.map(({ update, wer, cer, accuracy }) => (accuracy === undefined ? { update, wer: wer!, cer: cer! } : { update, accuracy })), seconds: Math.round(seconds), stateSha256 }
}

const speakerTeacher = join(flags.out, 'speaker-teacher')
const common = { ...compute, text, train: [train], dev: [dev], resume: true }

const trainSpeakerTeacher = async (): Promise<NonNullable<Results['speakerTeacher']>> => {
  const summary = await finetune({ ...common, start: { model: teacher }, labels: ['speaker'], out: speakerTeacher, training: speakerTraining }, context)
  return { ...(await measured(summary)), training: speakerTraining }
}

const run = async (entry: Entry): Promise<Result> => {
  const out = join(flags.out, `${entry.name.replaceAll(/[^a-z0-9]+/g, '-')}-${entry.seed}`)
  const models = { teacher: entry.task === 'speakers' ? join(speakerTeacher, 'best') : teacher, source, waypoints: flags.waypoints }
  const { guidance, mixer, training } = entry
  return { ...entry, ...(await measured(await convert({ ...common, ...models, out, guidance, mixer, training }, context))) }
}

let results = (await readResults()) ?? (await begin())
const now = await sha256OfWeights(teacher)
if (results.teacher.sha256 !== now) results = await begin()
const wanted = plan.filter(({ name, guidance }) => (flags.only?.includes(name) ?? true) && (guidance.guidance !== 'waypoint' || flags.waypoints !== undefined))
for (const entry of wanted) {
  if (results.results.some((result) => isOf(result, entry))) continue
  if (entry.task === 'speakers' && JSON.stringify(results.speakerTeacher?.training) !== JSON.stringify(speakerTraining)) {
    say('teacher of the speakers')
    results = { ...results, speakerTeacher: await trainSpeakerTeacher() }
    await writeResults(results)
  }
  say(`${entry.name}, seed ${entry.seed}`)
  const result = await run(entry)
  const { wer, accuracy } = result.evaluations.at(-1)!
  say(`${entry.name}, seed ${entry.seed}: ${wer === undefined ? `accuracy ${percent(accuracy!)}` : `WER ${percent(wer)}`}, ${result.seconds} s`)
  const order = (one: Result): number => plan.findIndex((planned) => isOf(one, planned))
  results = { ...results, results: [...results.results, result].filter((one) => order(one) >= 0).sort((a, b) => order(a) - order(b)) }
  await writeResults(results)
}
