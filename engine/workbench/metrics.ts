import type { RunMetrics } from '../contract/index.ts'
import { MissingFileError } from '../errors.ts'
import { taskLossOf } from '../evaluate/index.ts'
import { readRun } from '../report/index.ts'

const mostSamples = 50
const rounded = (value: number): number => Number(value.toPrecision(6))

/** A run's metrics as columns; empty for one that has not begun. */
export const metricsOf = async (path: string): Promise<RunMetrics> => {
  const { updates, evaluations, transcripts } = await readRun(path).catch((error: unknown) => {
    if (error instanceof MissingFileError) return { updates: [], evaluations: [], transcripts: [] }
    throw error
  })
  let seconds = 0
  return {
    update: updates.map(({ update }) => update),
    seconds: updates.map(({ audioSeconds, audioSecondsPerSecond }) => rounded((seconds += audioSeconds / audioSecondsPerSecond))),
    loss: updates.map(({ loss }) => loss),
    task: updates.map((losses) => taskLossOf(losses).value),
    taskLabel: updates[0] === undefined ? '' : taskLossOf(updates[0]).label,
    layerwise: updates.map(({ layerwise }) => layerwise ?? null),
    output: updates.map(({ output }) => output ?? null),
    learningRate: updates.map(({ learningRate }) => learningRate),
    gradientNorm: updates.map(({ gradientNorm }) => rounded(gradientNorm)),
    audioSecondsPerSecond: updates.map(({ audioSecondsPerSecond }) => rounded(audioSecondsPerSecond)),
    alignment: updates.map(({ alignment }) => alignment?.map(rounded) ?? null),
    evaluations,
    samples: transcripts.slice(0, mostSamples),
  }
}
