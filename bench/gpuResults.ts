import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'

export type GpuBenchSize = 'tiny' | 'large'

/** Updates of one implementation in one float type, after those that compile and warm up. */
export interface TrainingFigures {
  readonly name: 'ours' | 'PyTorch'
  readonly type: 'float32' | 'float16' | 'bfloat16'
  readonly version: string
  /** What it computed on, as it calls it. */
  readonly device: string
  readonly milliseconds: readonly number[]
  /** Of the device where it has a memory of its own: ours between updates, PyTorch's at its peak. */
  readonly deviceBytes: number
  /** That came back from the device in an update; ours alone. */
  readonly bytesRead?: number
}

/** Runs of the recurrence alone, in one form. */
export interface RecurrenceFigures {
  readonly form: string
  readonly type: 'float32' | 'float16'
  readonly direction: 'forward' | 'backward'
  /** In the order of the rounds; in each, every form ran. */
  readonly milliseconds: readonly number[]
  /** Of the processor, all threads: what other work on the machine disturbs less. */
  readonly processorMilliseconds: readonly number[]
}

export interface GpuMeasurement {
  /** The GPU, or what stood in for one. */
  readonly device: string
  readonly runtime: 'webgpu' | 'cpu'
  readonly size: GpuBenchSize
  readonly seconds: number
  readonly batch: number
  readonly frames: number
  readonly command: string
  /** Matrix work of an update, and the rate of matrix products alone. */
  readonly gflop: number
  readonly matmulGflopPerSecond: number
  readonly training: readonly TrainingFigures[]
  readonly recurrence: readonly RecurrenceFigures[]
  /** What was not measured, and why. */
  readonly missing: readonly string[]
}

/** The committed raw figures. */
export const gpuResultsPath = fileURLToPath(new URL('gpu.json', import.meta.url))

export const readGpuResults = async (path = gpuResultsPath): Promise<GpuMeasurement[]> => JSON.parse(await readFile(path, 'utf8').catch(() => '[]')) as GpuMeasurement[]

/** Puts figures in the place of older ones of the same device and shape. */
export const keepGpuMeasurement = async (one: GpuMeasurement, path = gpuResultsPath): Promise<void> => {
  const same = ({ device, runtime, size, seconds, batch }: GpuMeasurement): string => JSON.stringify([device, runtime, size, seconds, batch])
  const others = (await readGpuResults(path)).filter((other) => same(other) !== same(one))
  await writeFileAtomic(path, `${JSON.stringify([...others, one], null, 1)}\n`)
}
