import type { LogLine, RunMetrics } from '../contract/index.ts'
import { readFile } from 'node:fs/promises'
import { MissingFileError } from '../errors.ts'
import { taskLossOf } from '../evaluate/index.ts'
import { readRun } from '../report/index.ts'

const mostSamples = 50
const rounded = (value: number): number => Number(value.toPrecision(6))

const mostLines = 500

/** The newest lines of a log; none where there is none. A line that a crash cut short is left out. */
const readLog = async (path: string): Promise<LogLine[]> => {
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '')
  return lines.slice(-mostLines).flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine]
    } catch {
      return []
    }
  })
}

/** A run's metrics as columns, and its log; empty for one that has not begun. */
export const metricsOf = async (path: string, log: string): Promise<RunMetrics> => {
  const { updates, evaluations, transcripts } = await readRun(path).catch((error: unknown) => {
    if (error instanceof MissingFileError) return { updates: [], evaluations: [], transcripts: [] }
    throw error
  })
  let seconds = 0
  const began = updates[0]?.at
  return {
    update: updates.map(({ update }) => update),
    seconds: updates.map(({ audioSeconds, audioSecondsPerSecond }) => rounded((seconds += audioSeconds / audioSecondsPerSecond))),
    clock: updates.map(({ at }) => (at === undefined || began === undefined ? null : rounded((at - began) / 1000))),
    memoryBytes: updates.map(({ memoryBytes }) => memoryBytes),
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
    log: await readLog(log),
  }
}
