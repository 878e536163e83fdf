import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MixerInput } from '../contract/index.ts'
import { studentFrom } from '../distill/index.ts'
import { median } from '../evaluate/index.ts'
import { createModel, parseWav2Vec2Config, saveModel, type SpeechModel, type Wav2Vec2Config } from '../models/index.ts'
import { BenchWorker } from './benchWorker.ts'
import type { BenchTask } from './benchTasks.ts'
import type { ComputeSettings, JobContext } from './context.ts'

/** Shapes of models to measure: the bundled one's (which training/bundled.json makes), and those of Wav2Vec2-base and -large(-lv60). */
const configs = {
  small: {
    model_type: 'wav2vec2',
    feat_extract_norm: 'layer',
    do_stable_layer_norm: true,
    conv_bias: true,
    conv_dim: [32, 32, 48, 64, 96, 128, 128],
    hidden_size: 128,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    intermediate_size: 512,
    num_conv_pos_embeddings: 32,
    num_conv_pos_embedding_groups: 8,
    hidden_dropout: 0,
    activation_dropout: 0,
    attention_dropout: 0,
    final_dropout: 0,
  },
  base: { model_type: 'wav2vec2' },
  large: { model_type: 'wav2vec2', feat_extract_norm: 'layer', do_stable_layer_norm: true, conv_bias: true, hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, intermediate_size: 4096 },
} as const
export type BenchSize = keyof typeof configs
export const benchSizes = Object.keys(configs) as BenchSize[]

/** The student's mixers: Mamba2's own shape, and one that fits so small a model. */
const mixerOf = (size: BenchSize): MixerInput => ({ expand: 1, dConv: 4, ngroups: 1, ...(size === 'small' ? { headdim: 32, dState: 32 } : { headdim: 64, dState: 128 }) })

export const benchTasks = ['inference', 'student', 'training'] as const

/** The configuration of a size, as config.json would say it. */
export const benchConfig = (size: BenchSize): Wav2Vec2Config => parseWav2Vec2Config({ ...configs[size], architectures: ['Wav2Vec2ForCTC'], mask_time_prob: 0.05 }, size)

export interface BenchSettings extends ComputeSettings {
  readonly sizes: readonly BenchSize[]
  /** Inference of the transformer, of its student, and a target guided update. */
  readonly tasks: readonly (typeof benchTasks)[number][]
  /** Of an utterance. */
  readonly seconds: number
  /** Utterances of an update. */
  readonly batch: number
  /** Runs, after one that is not counted. */
  readonly repeats: number
}

export interface BenchRow {
  readonly size: BenchSize
  readonly task: (typeof benchTasks)[number]
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

const files = { preprocessor: { sampling_rate: 16_000, do_normalize: true }, vocabulary: {}, tokenizer: {} }

/** Speed and memory of training and inference, with random weights; each row in a process of its own. */
export const bench = async ({ sizes, tasks, seconds, batch, repeats, ...compute }: BenchSettings, { signal, onEvent }: JobContext): Promise<Bench> => {
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

interface Paths {
  readonly teacher: string
  readonly student: string
}

/** Models of random weights as folders, so that opening them is part of what is measured. */
export const writeModels = async (folder: string, size: BenchSize, withStudent: boolean): Promise<Paths> => {
  const save = (path: string, model: SpeechModel): Promise<void> => saveModel(path, model, files)
  const paths = { teacher: join(folder, 'teacher'), student: join(folder, 'student') }
  const teacher = createModel(benchConfig(size), 1)
  await save(paths.teacher, teacher)
  if (withStudent) await save(paths.student, studentFrom(teacher, mixerOf(size), 1))
  return paths
}

const row = async ({ size, task, seconds, batch, repeats }: Pick<BenchSettings, 'seconds' | 'batch' | 'repeats'> & Pick<BenchRow, 'size' | 'task'>, paths: Paths, compute: ComputeSettings, signal: AbortSignal): Promise<BenchRow> => {
  const benchTask: BenchTask = task === 'training' ? { kind: 'training', model: paths.teacher, mixer: mixerOf(size), seconds, batch } : { kind: 'inference', model: task === 'student' ? paths.student : paths.teacher, seconds }
  const { worker, opened } = await BenchWorker.open(benchTask, compute, signal)
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
