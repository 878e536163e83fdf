import { median, type LatencyFailure, type LatencyPoint } from '../evaluate/index.ts'
import { InterruptedError } from '../errors.ts'
import { launch } from '../processes/index.ts'
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

/** Asks measuringProcess.ts. */
const measure = (measurement: Measurement, signal: AbortSignal): Promise<Measured> =>
  new Promise((resolve, reject) => {
    let answer: Measured | undefined
    const child = launch(new URL('./measuringProcess', import.meta.url), {
      keepsMemory: true,
      onMessage: (message) => {
        answer = message as Measured
        child.kill()
      },
      onEnd: (how) => {
        signal.removeEventListener('abort', child.kill)
        if (signal.aborted) reject(new InterruptedError(`stopped while measuring ${measurement.model} at ${measurement.duration} s`))
        else resolve(answer ?? { error: `the measuring process ended with ${how}; there may be too little memory` })
      },
    })
    signal.addEventListener('abort', child.kill, { once: true })
    child.send(measurement)
  })
