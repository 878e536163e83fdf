import { fork } from 'node:child_process'
import { median, type LatencyFailure, type LatencyPoint } from '../evaluate/index.ts'
import { InterruptedError } from '../errors.ts'
import { chooseDevice } from '../runtime/index.ts'
import { openReadyModel, type ComputeSettings, type JobContext } from './context.ts'

export interface BenchmarkSettings extends ComputeSettings {
  readonly models: readonly string[]
  /** Seconds of audio. */
  readonly durations: readonly number[]
  /** Transcriptions at each length, after one that is not counted. */
  readonly repeats: number
  /** A recording to repeat to each length; noise without one. */
  readonly recording: string | undefined
}

export interface Benchmark {
  readonly device: string
  readonly threads: number
  readonly repeats: number
  readonly points: readonly LatencyPoint[]
  readonly failures: readonly LatencyFailure[]
}

/** What a measuring process is told, and what it answers. */
export interface Measurement extends ComputeSettings {
  readonly model: string
  readonly duration: number
  readonly repeats: number
  readonly recording: string | undefined
}
export type Measured = { readonly latencies: readonly number[]; readonly peakBytes: number; readonly idleBytes: number } | { readonly error: string }

/** Latency and peak memory of models over lengths of audio; each point in a process of its own, so that its memory is its own. */
export const benchmark = async ({ models, durations, repeats, recording, device: asked, threads }: BenchmarkSettings, { signal, onEvent }: JobContext): Promise<Benchmark> => {
  const device = (await chooseDevice(asked)).name
  for (const model of models) await openReadyModel(model)
  const points: LatencyPoint[] = []
  const failures: LatencyFailure[] = []
  const pairs = durations.flatMap((duration) => models.map((model) => ({ model, duration })))
  for (const [i, pair] of pairs.entries()) {
    const measured = await measure({ ...pair, repeats, recording, device, threads }, signal)
    if ('error' in measured) failures.push({ ...pair, error: measured.error })
    else points.push({ ...pair, ...measured, latency: median(measured.latencies) })
    onEvent({ kind: 'progress', stage: `latency at ${pair.duration} s`, done: i + 1, total: pairs.length })
  }
  return { device, threads, repeats, points, failures }
}

/** Runs measuringProcess.ts, from source as from the compiled folder. */
const measure = (measurement: Measurement, signal: AbortSignal): Promise<Measured> =>
  new Promise((resolve, reject) => {
    const compiled = import.meta.url.endsWith('.js')
    const entry = new URL(compiled ? './measuringProcess.js' : './measuringProcess.ts', import.meta.url)
    const child = fork(entry, { execArgv: compiled ? [] : ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
    const stop = (): void => void child.kill('SIGKILL')
    signal.addEventListener('abort', stop, { once: true })
    let answer: Measured | undefined
    child.on('message', (message) => (answer = message as Measured))
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', stop)
      if (signal.aborted) reject(new InterruptedError(`stopped while measuring ${measurement.model} at ${measurement.duration} s`))
      else resolve(answer ?? { error: `the measuring process ended with ${killedBy ?? `exit code ${String(code)}`}; there may be too little memory` })
    })
    child.send(measurement)
  })
