import type { Command } from 'commander'
import { UsageError } from '../../errors.ts'
import { benchmark, compare, demo, report, runs, type Benchmark, type Comparison, type DemoResult, type RunSummary } from '../../jobs/index.ts'
import { figuresInWords, mebibytes, percent } from '../../report/index.ts'
import { count, countOrZero, positive, positives, textOf, withCompute, withLabels, withText, type ComputeFlags, type LabelFlags, type TextFlags } from '../options.ts'
import { present } from '../present.ts'
import { table } from '../table.ts'

/** Folders separated by spaces or commas. */
const foldersOf = (names: readonly string[]): string[] => names.flatMap((name) => name.split(','))

const latencyInWords = ({ points, failures }: Benchmark, nameOf: (model: string) => string): string =>
  [
    table([
      ['latency and memory', 'speech', 'latency', 'real-time factor', 'peak memory'],
      ...points.map(({ model, duration, latency, peakBytes }) => [nameOf(model), `${duration} s`, `${latency.toFixed(3)} s`, (latency / duration).toFixed(4), mebibytes(peakBytes)]),
    ]),
    ...failures.map(({ model, duration, error }) => `${nameOf(model)} at ${duration} s: ${error}`),
  ].join('\n')

const signed = (fraction: number): string => `${fraction > 0 ? '+' : ''}${percent(fraction)}`

const comparisonInWords = ({ models, utterances, disagreements, wer, accuracy }: Comparison): string => {
  const { difference, confidence, low, high } = (wer ?? accuracy)!
  return [
    table([['', '', 'real-time factor'], ...models.map(({ model, realTimeFactor, ...figures }) => [model, figuresInWords(figures), realTimeFactor.toFixed(4)])]),
    `difference ${signed(difference)} (${100 * confidence} % interval ${signed(low)} to ${signed(high)}, paired bootstrap over ${utterances} utterances)`,
    ...disagreements.flatMap(({ id, reference, hypotheses, errors }) => ['', id, `  said    ${reference}`, ...hypotheses.map((hypothesis, i) => `  ${i === 0 ? 'first ' : 'second'}  ${hypothesis} (${errors[i]} errors)`)]),
  ].join('\n')
}

const runsInWords = (all: readonly RunSummary[]): string =>
  table([
    ['run', 'guidance', 'update', 'best', 'last', ''],
    ...all.map(({ name, guidance, update, updates, finished, best, last }) => [
      name,
      guidance,
      `${update}/${updates}`,
      best === undefined ? '–' : figuresInWords(best),
      last === undefined ? '–' : figuresInWords(last),
      finished ? 'finished' : 'stopped or running',
    ]),
  ])

const demoInWords = ({ updates, models, unguided, latency, report: page, student, seconds }: DemoResult): string => {
  const nameOf = (path: string): string => models.find((model) => model.path === path)!.name
  return [
    table([
      ['', 'WER', 'CER', 'parameters', 'real-time factor'],
      ...models.map(({ name, wer, cer, parameters, realTimeFactor }) => [name, percent(wer), percent(cer), parameters.toLocaleString('en'), realTimeFactor.toFixed(4)]),
    ]),
    `unguided at each learning rate: ${unguided.map(({ learningRate, wer, devWer }) => `${learningRate}: ${percent(wer)} (development ${percent(devWer)})`).join(', ')}`,
    '',
    latencyInWords(latency, nameOf),
    '',
    `${updates} updates each, ${(seconds / 60).toFixed(1)} min in all`,
    `report:  ${page}`,
    `student: ${student}`,
  ].join('\n')
}

export const addComparisonCommands = (program: Command): void => {
  withCompute(program.command('demo').description('convert a bundled model on this machine, unguided and guided, and show what it bought'))
    .option('--out <folder>', 'new folder for speech, runs and report', 'cald-demo')
    .option('--updates <n>', 'updates of each conversion', count, 120)
    .option('--seed <n>', 'seed of everything random', countOrZero, 1)
    .action(async (flags: ComputeFlags & { out: string; updates: number; seed: number }) => {
      const { shortfalls } = await present(flags.json, (context) => demo(flags, context), demoInWords)
      for (const shortfall of shortfalls) process.stderr.write(`cald: ${shortfall}\n`)
      if (shortfalls.length > 0) process.exitCode = 1
    })

  withLabels(withText(withCompute(program.command('compare').description('compare two models on the same data: difference of their WER or accuracy with its interval, and where they disagree'))))
    .requiredOption('--models <folders...>', 'the two models')
    .requiredOption('--data <manifest>', 'a JSONL or CSV manifest, or a corpus folder')
    .option('--batch-seconds <s>', 'padded audio in one batch, in seconds', positive, 60)
    .option('--disagreements <n>', 'most utterances to list', countOrZero, 10)
    .action(async ({ models: names, ...flags }: ComputeFlags & TextFlags & LabelFlags & { models: string[]; data: string; batchSeconds: number; disagreements: number }) => {
      const [first, second, ...others] = foldersOf(names)
      if (first === undefined || second === undefined || others.length > 0) throw new UsageError(`--models: expected two models, found ${names.join(' ')}`)
      await present(flags.json, (context) => compare({ ...flags, models: [first, second], text: textOf(flags) }, context), comparisonInWords)
    })

  program
    .command('report')
    .description('compare runs on one self-contained HTML page')
    .argument('<runs...>', 'run folders')
    .option('--out <file>', 'the page', 'report.html')
    .option('--json', 'print one JSON object on standard output and nothing else there')
    .action(async (runs: string[], { out, json }: { out: string; json?: true }) => {
      await present(json, () => report({ runs, out }), (result) => `report: ${result.report}`)
    })

  program
    .command('runs')
    .description('say what became of each run in a folder')
    .argument('[folder]', 'a folder of runs, or one run', 'runs')
    .option('--csv <file>', 'write the metrics of all of them there')
    .option('--json', 'print one JSON object on standard output and nothing else there')
    .action(async (folder: string, { csv, json }: { csv?: string; json?: true }) => {
      await present(json, () => runs({ folder, csv }), runsInWords)
    })

  withCompute(program.command('benchmark').description('measure latency and memory of models over lengths of audio'))
    .requiredOption('--models <folders...>', 'the models')
    .option('--durations <seconds>', 'lengths, separated by commas', positives, [10, 60, 300])
    .option('--repeats <n>', 'transcriptions of each length, after one that is not counted', count, 3)
    .option('--recording <file>', 'a WAV to repeat to each length (default: noise)')
    .action(async (flags: ComputeFlags & { models: string[]; durations: number[]; repeats: number; recording?: string }) => {
      const models = foldersOf(flags.models)
      await present(flags.json, (context) => benchmark({ ...flags, models, recording: flags.recording }, context), (result) => latencyInWords(result, (model) => model))
    })
}
