import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import type { BenchSize } from '../engine/jobs/benchTasks.ts'
import type { PeerRun } from './peers/peer.ts'

/** What a task was measured with: ours, or a peer and its version. */
export interface Contender {
  readonly name: 'ours' | 'PyTorch' | 'transformers.js'
  readonly version: string
  /** In the order of the rounds; every contender ran once in each. */
  readonly runs: readonly PeerRun[]
}

export interface Measurement {
  readonly size: BenchSize
  readonly task: 'training' | 'inference'
  /** Of an utterance, and utterances of a run. */
  readonly seconds: number
  readonly batch: number
  readonly threads: number
  readonly processor: string
  /** Of the day, YYYY-MM-DD. */
  readonly date: string
  readonly command: string
  /** Matrix work of a run, and the rate of matrix products alone in each round. */
  readonly gflop: number
  readonly matmulGflopPerSecond: readonly number[]
  /** Ours first. */
  readonly contenders: readonly Contender[]
}

/** Milliseconds of a run's kernels by kind, and their sum. */
export interface Profile {
  readonly processor: string
  readonly size: BenchSize
  readonly task: 'training' | 'inference' | 'student'
  readonly command: string
  readonly milliseconds: number
  readonly kinds: Readonly<Record<string, number>>
}

export interface BenchResults {
  readonly measurements: readonly Measurement[]
  readonly profiles: readonly Profile[]
}

const path = fileURLToPath(new URL('results.json', import.meta.url))

/** The committed raw figures. */
export const readBenchResults = async (): Promise<BenchResults> => {
  const text = await readFile(path, 'utf8').catch(() => '{"measurements":[],"profiles":[]}')
  return JSON.parse(text) as BenchResults
}

interface Subject {
  readonly processor: string
  readonly size: BenchSize
  readonly task: string
}
const order = ({ processor, size, task }: Subject): string => `${processor} ${size === 'large' ? 1 : 0}${task}`
const replaced = <One extends Subject>(all: readonly One[], one: One): One[] =>
  [...all.filter((other) => order(other) !== order(one)), one].sort((a, b) => order(a).localeCompare(order(b)))

/** Puts figures in the place of older ones of the same processor, size and task. */
export const keepMeasurement = async (one: Measurement): Promise<void> => {
  const all = await readBenchResults()
  await write({ ...all, measurements: replaced(all.measurements, one) })
}
export const keepProfile = async (one: Profile): Promise<void> => {
  const all = await readBenchResults()
  await write({ ...all, profiles: replaced(all.profiles, one) })
}

const write = (results: BenchResults): Promise<void> => writeFileAtomic(path, `${JSON.stringify(results, null, 1)}\n`)
