import { InvalidArgumentError, type Command } from 'commander'
import { bench, benchSizes, benchTasks, type Bench, type BenchSettings } from '../../jobs/index.ts'
import { mebibytes } from '../../report/index.ts'
import { count, positive, withCompute, type ComputeFlags } from '../options.ts'
import { present } from '../present.ts'
import { table } from '../table.ts'

/** Names of a list, separated by commas. */
const someOf =
  <Name extends string>(names: readonly Name[]) =>
  (text: string): Name[] =>
    text.split(',').map((given) => names.find((name) => name === given.trim()) ?? fail(given, names))

const fail = (given: string, names: readonly string[]): never => {
  throw new InvalidArgumentError(`Expected some of ${names.join(', ')}, found ${given}.`)
}

const titles: Readonly<Record<(typeof benchTasks)[number], string>> = { inference: 'inference', student: 'inference, student', training: 'training step, target guided' }

const inWords = ({ rows, threads, repeats }: Bench): string =>
  [
    table([
      ['', 'device', 'audio', 'ms', 'audio s/s', 'GFLOP/s', 'MatMul GFLOP/s', 'peak memory'],
      ...rows.map((row) => [
        `${row.size}: ${titles[row.task]}`,
        row.device,
        `${row.audioSeconds} s`,
        row.median.toFixed(row.median < 100 ? 1 : 0),
        row.audioSecondsPerSecond.toFixed(1),
        row.gflopPerSecond.toFixed(0),
        row.matmulGflopPerSecond.toFixed(0),
        mebibytes(row.peakBytes),
      ]),
    ]),
    `medians of ${repeats}, ${threads} threads; random weights`,
  ].join('\n')

export const addBenchCommand = (program: Command): void => {
  withCompute(program.command('bench').description('measure training and inference of models of several sizes, with random weights, on this machine'))
    .option('--sizes <names>', `some of ${benchSizes.join(', ')}`, someOf(benchSizes), ['small', 'base'])
    .option('--tasks <names>', `some of ${benchTasks.join(', ')}`, someOf(benchTasks), [...benchTasks])
    .option('--seconds <s>', 'length of an utterance', positive, 10)
    .option('--batch <n>', 'utterances of an update', count, 2)
    .option('--repeats <n>', 'runs of each, after one that is not counted', count, 5)
    .action(async (flags: ComputeFlags & Omit<BenchSettings, keyof ComputeFlags>) => {
      await present(flags.json, (context) => bench(flags, context), inWords)
    })
}
