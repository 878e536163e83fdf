import { join } from 'node:path'
import type { MixerInput } from '../contract/index.ts'
import { normaliseAudio } from '../audio/index.ts'
import { studentFrom, TrialUpdates } from '../distill/index.ts'
import { graph, input, matmul, matrixWork, sum, variable } from '../ir/index.ts'
import { createModel, Inference, inferenceGraph, openModel, openToRun, parseWav2Vec2Config, saveModel, type SpeechModel, type StoredModel, type Wav2Vec2Config } from '../models/index.ts'
import { fillNormal } from '../random.ts'
import { float32, type Device } from '../runtime/index.ts'

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
export const mixerOf = (size: BenchSize): MixerInput => ({ expand: 1, dConv: 4, ngroups: 1, ...(size === 'small' ? { headdim: 32, dState: 32 } : { headdim: 64, dState: 128 }) })

export const benchTasks = ['inference', 'student', 'training'] as const
export type BenchTaskName = (typeof benchTasks)[number]

/** The configuration of a size, as config.json would say it. */
export const benchConfig = (size: BenchSize): Wav2Vec2Config => parseWav2Vec2Config({ ...configs[size], architectures: ['Wav2Vec2ForCTC'], mask_time_prob: 0.05 }, size)

const files = { preprocessor: { sampling_rate: 16_000, do_normalize: true }, vocabulary: {}, tokenizer: {} }

export interface BenchPaths {
  readonly teacher: string
  readonly student: string
}

/** Models of random weights as folders, so that opening them is part of what is measured. */
export const writeModels = async (folder: string, size: BenchSize, withStudent: boolean): Promise<BenchPaths> => {
  const save = (path: string, model: SpeechModel): Promise<void> => saveModel(path, model, files)
  const paths = { teacher: join(folder, 'teacher'), student: join(folder, 'student') }
  const teacher = createModel(benchConfig(size), 1)
  await save(paths.teacher, teacher)
  if (withStudent) await save(paths.student, studentFrom(teacher, mixerOf(size), 1))
  return paths
}

/** What a measuring process is told to do for a task of the command. */
export const benchTaskOf = ({ size, task, seconds, batch }: { size: BenchSize; task: BenchTaskName; seconds: number; batch: number }, paths: BenchPaths): BenchTask => {
  if (task === 'training') return { kind: 'training', model: paths.teacher, mixer: mixerOf(size), seconds, batch }
  return { kind: 'inference', model: task === 'student' ? paths.student : paths.teacher, seconds }
}

const samplingRate = 16_000

/** What a measuring process is told to do again and again. */
export type BenchTask =
  /** One pass over a recording, samples in and logits out. */
  | { readonly kind: 'inference'; readonly model: string; readonly seconds: number }
  /** One target guided update of a student of the teacher, on so many utterances. */
  | { readonly kind: 'training'; readonly model: string; readonly mixer: MixerInput; readonly seconds: number; readonly batch: number }

/** A task that is ready to run. */
export interface ReadyTask {
  readonly parameters: number
  /** Floating-point operations of its matrix work. */
  readonly work: number
  readonly run: () => Promise<unknown>
}

const noise = (samples: number): Float32Array => {
  const out = new Float32Array(samples)
  fillNormal(out, 0.1, 1, 'bench')
  return out
}

/** Opens the task's model, as the commands do, and makes ready what its runs share. */
export const openTask = async (device: Device, task: BenchTask): Promise<ReadyTask> => {
  const samples = Math.round(task.seconds * samplingRate)
  if (task.kind === 'inference') return inferenceTask(device, await openToRun(task.model), samples)
  return trainingTask(device, await openModel(task.model), task.mixer, { batch: task.batch, samples })
}

const inferenceTask = (device: Device, model: SpeechModel | StoredModel, samples: number): ReadyTask => {
  const inference = new Inference(device, model)
  const audio = noise(samples)
  return {
    parameters: model.layout.size,
    work: matrixWork(inferenceGraph(model.config, { from: 'audio', padded: false }).nodes, { batch: 1, samples }),
    run: () => inference.run({ data: normaliseAudio(audio), shape: [1, samples], lengths: Int32Array.of(samples) }),
  }
}

const trainingTask = (device: Device, teacher: SpeechModel, mixer: MixerInput, shape: { batch: number; samples: number }): ReadyTask => {
  const student = studentFrom(teacher, mixer, 1)
  const updates = new TrialUpdates(device, { student, teacher }, shape)
  return { parameters: student.parameters.length, work: updates.work(), run: () => updates.run() }
}

const [manyRows, width, columns] = [1000, 768, 3072] as const

/** How fast the device multiplies matrices at the moment, in floating-point operations a second: [1000, 768] times [768, 3072], as a feed-forward layer does. */
export const matmulRate = async (device: Device, rows: number = manyRows): Promise<() => Promise<number>> => {
  const product = matmul(input('x', [variable('rows'), width]), input('w', [width, columns]))
  // A GPU is only asked to compute: reading the sum waits until it has.
  const program = await device.compile(graph('matrix product', device.sharesMemory ? { y: product } : { y: product, told: sum(product, [0, 1]) }))
  const x = await device.upload(float32(noise(rows * width), [rows, width]))
  const w = await device.upload(float32(noise(width * columns), [width, columns]))
  return async () => {
    const seconds: number[] = []
    for (let i = 0; i < 4; i++) {
      const started = performance.now()
      const { y, told } = await program.run({ x, w })
      if (told !== undefined) await device.read(told)
      seconds.push((performance.now() - started) / 1000)
      y!.dispose()
      told?.dispose()
    }
    return (2 * rows * width * columns) / Math.min(...seconds)
  }
}
