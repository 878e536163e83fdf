import type { MixerInput } from '../contract/index.ts'
import { normaliseAudio } from '../audio/index.ts'
import { studentFrom, TrialUpdates } from '../distill/index.ts'
import { graph, input, matmul, matrixWork, variable } from '../ir/index.ts'
import { Inference, inferenceGraph, openModel, type SpeechModel } from '../models/index.ts'
import { fillNormal } from '../random.ts'
import { float32, type Device } from '../runtime/index.ts'

export const samplingRate = 16_000

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
  const model = await openModel(task.model)
  const samples = Math.round(task.seconds * samplingRate)
  return task.kind === 'inference' ? inferenceTask(device, model, samples) : trainingTask(device, model, task.mixer, { batch: task.batch, samples })
}

const inferenceTask = (device: Device, model: SpeechModel, samples: number): ReadyTask => {
  const inference = new Inference(device, model)
  const audio = noise(samples)
  return {
    parameters: model.parameters.length,
    work: matrixWork(inferenceGraph(model.config, { from: 'audio', padded: false }).nodes, { batch: 1, samples }),
    run: () => inference.run({ data: normaliseAudio(audio), shape: [1, samples], lengths: Int32Array.of(samples) }),
  }
}

const trainingTask = (device: Device, teacher: SpeechModel, mixer: MixerInput, shape: { batch: number; samples: number }): ReadyTask => {
  const student = studentFrom(teacher, mixer, 1)
  const updates = new TrialUpdates(device, { student, teacher }, shape)
  return { parameters: student.parameters.length, work: updates.work(), run: () => updates.run() }
}

const [rows, width, columns] = [1000, 768, 3072] as const

/** How fast the device multiplies matrices at the moment, in floating-point operations a second: [1000, 768] times [768, 3072], as a feed-forward layer does. */
export const matmulRate = async (device: Device): Promise<() => Promise<number>> => {
  const program = await device.compile(graph('matrix product', { y: matmul(input('x', [variable('rows'), width]), input('w', [width, columns])) }))
  const x = await device.upload(float32(noise(rows * width), [rows, width]))
  const w = await device.upload(float32(noise(width * columns), [width, columns]))
  return async () => {
    const seconds: number[] = []
    for (let i = 0; i < 4; i++) {
      const started = performance.now()
      const { y } = await program.run({ x, w })
      seconds.push((performance.now() - started) / 1000)
      y!.dispose()
    }
    return (2 * rows * width * columns) / Math.min(...seconds)
  }
}
