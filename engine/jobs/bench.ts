import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from '../evaluate/index.ts'
import { chooseDevice } from '../runtime/index.ts'
import { BenchWorker, type OpenedCompute } from './benchWorker.ts'
import { benchTaskOf, writeModels, type BenchPaths, type BenchSize, type BenchTaskName } from './benchTasks.ts'
import type { ComputeSettings, JobContext } from './context.ts'

export interface BenchSettings extends ComputeSettings {
  readonly sizes: readonly BenchSize[]
  /** Inference of the transformer, of its student, and a target guided update. */
  readonly tasks: readonly BenchTaskName[]
  /** Of an utterance. */
  readonly seconds: number
  /** Utterances of an update. */
  readonly batch: number
  /** Runs, after one that is not counted. */
  readonly repeats: number
}

export interface BenchRow {
  readonly size: BenchSize
  readonly task: BenchTaskName
  readonly device: string
  readonly parameters: number
  readonly audioSeconds: number
  /** Of each run, and their median. */
  readonly milliseconds: readonly number[]
  readonly median: number
  readonly audioSecondsPerSecond: number
  /** Matrix work of a run in GFLOP; what is computed twice counts once. */
  readonly gflop: number
  readonly gflopPerSecond: number
  /** GFLOP/s of matrix products alone in the same process between the runs (median). */
  readonly matmulGflopPerSecond: number
  /** The most memory that the process held. */
  readonly peakBytes: number
}

export interface Bench {
  readonly threads: number
  readonly repeats: number
  readonly rows: readonly BenchRow[]
}

/** Speed and memory of training and inference, with random weights; each row in a process of its own. */
export const bench = async ({ sizes, tasks, seconds, batch, repeats, device, threads }: BenchSettings, { signal, onEvent }: JobContext): Promise<Bench> => {
  const compute = { device: (await chooseDevice(device)).name, threads }
  const rows: BenchRow[] = []
  for (const size of sizes) {
    const folder = await mkdtemp(join(tmpdir(), 'cald-bench-'))
    try {
      const paths = await writeModels(folder, size, tasks.includes('student'))
      for (const task of tasks) {
        onEvent({ kind: 'progress', stage: `${task}, ${size}`, done: rows.length, total: sizes.length * tasks.length })
        rows.push(await row({ size, task, seconds, batch, repeats }, paths, compute, signal))
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return { threads: compute.threads, repeats, rows }
}

const row = async ({ size, task, seconds, batch, repeats }: Pick<BenchSettings, 'seconds' | 'batch' | 'repeats'> & Pick<BenchRow, 'size' | 'task'>, paths: BenchPaths, compute: OpenedCompute, signal: AbortSignal): Promise<BenchRow> => {
  const { worker, opened } = await BenchWorker.open(benchTaskOf({ size, task, seconds, batch }, paths), compute, signal)
  try {
    await worker.run()
    const milliseconds: number[] = []
    const rates: number[] = []
    let peakBytes = 0
    for (let i = 0; i < repeats; i++) {
      const ran = await worker.run()
      milliseconds.push(ran.milliseconds)
      rates.push(ran.matmulRate)
      peakBytes = ran.peakBytes
    }
    const middle = median(milliseconds)
    const audioSeconds = task === 'training' ? batch * seconds : seconds
    return {
      size,
      task,
      device: opened.device,
      parameters: opened.parameters,
      audioSeconds,
      milliseconds,
      median: middle,
      audioSecondsPerSecond: (1000 * audioSeconds) / middle,
      gflop: opened.work / 1e9,
      gflopPerSecond: opened.work / 1e6 / middle,
      matmulGflopPerSecond: median(rates) / 1e9,
      peakBytes,
    }
  } finally {
    worker.close()
  }
}
