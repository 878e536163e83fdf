import type { GuidanceSettings } from '../contract/index.ts'
import type { SpeechBatch } from '../models/index.ts'
import { float32, type Device, type DeviceTensor, type HostTensor } from '../runtime/index.ts'
import { ctcFeasible, ctcLoss } from './losses/ctc.ts'
import { outputDistillation } from './losses/outputDistillation.ts'
import type { BatchContext, Guide, StageRunner } from './runner.ts'

/** One micro-batch: audio or ready features, the frames they make, and the transcripts. */
export interface TrainingBatch extends BatchContext {
  /** [batch, samples]; there when a frontend has to run. */
  readonly audio: SpeechBatch | undefined
  /** [batch, time, channels] of a frozen frontend, shared by teacher and student. */
  readonly features: HostTensor | undefined
  readonly targets: readonly Int32Array[]
}

/** Sums over the whole update that the means of the loss divide by. */
export interface Normalisers {
  /** Labels of the utterances whose transcript fits their frames. */
  readonly characters: number
  /** Valid frames of the same utterances. */
  readonly frames: number
}

export interface LossParts {
  readonly loss: number
  readonly ctc: number
  readonly layerwise: number
  readonly output: number
  /** Unweighted alignment loss of each layer. */
  readonly alignment: readonly number[]
  readonly infeasible: number
  /** Student's logits [batch, time, vocab_size]. */
  readonly logits: Float32Array
}

const feasible = ({ lengths, targets }: Pick<TrainingBatch, 'lengths' | 'targets'>): boolean[] => targets.map((target, b) => ctcFeasible(lengths[b]!, target))

/** What the means of an update run over; an utterance whose CTC loss is infinite counts nowhere. */
export const normalisersOf = (batches: readonly Pick<TrainingBatch, 'lengths' | 'targets'>[]): Normalisers => {
  let characters = 0
  let frames = 0
  for (const batch of batches) {
    feasible(batch).forEach((fits, b) => {
      characters += fits ? batch.targets[b]!.length : 0
      frames += fits ? batch.lengths[b]! : 0
    })
  }
  return { characters: Math.max(1, characters), frames: Math.max(1, frames) }
}

const frameWeights = (batch: TrainingBatch, value: number): Float32Array => {
  const weights = new Float32Array(batch.batch * batch.frames)
  feasible(batch).forEach((fits, b) => fits && weights.fill(value, b * batch.frames, b * batch.frames + batch.lengths[b]!))
  return weights
}

/** The teacher's hidden states (the N layer outputs, the last behind the final norm) and logits for a batch. */
const teach = async (teacher: StageRunner, features: DeviceTensor, batch: TrainingBatch, device: Device): Promise<{ hidden: DeviceTensor[]; logits: Float32Array }> => {
  const start = await teacher.projection(features, batch)
  const outputs: DeviceTensor[] = []
  for (let i = 0; i < teacher.layers; i++) outputs.push(await teacher.layer(i, outputs[i - 1] ?? start, batch))
  start.dispose()
  const before = outputs.pop()!
  const { hidden, logits } = await teacher.head(before, batch)
  before.dispose()
  const read = await device.read(logits)
  logits.dispose()
  return { hidden: [...outputs, hidden], logits: read.data as Float32Array }
}

/**
 * Forward and backward of one micro-batch: adds the gradient of
 * CTC / characters + α · mean over layers of the alignment + β · KL (design, section 5) to `gradient` and returns the parts.
 */
export const accumulateGradient = async (
  device: Device,
  student: StageRunner,
  teacher: { runner: StageRunner; settings: GuidanceSettings } | undefined,
  batch: TrainingBatch,
  normalisers: Normalisers,
  gradient: Float32Array,
  frontendTrained: boolean,
): Promise<LossParts> => {
  const features = batch.features === undefined ? await student.frontend(batch.audio!) : await device.upload(batch.features)
  const lesson = teacher === undefined ? undefined : await guidedBy(device, teacher.runner, features, batch)
  const layers = student.layers
  const alpha = teacher === undefined ? 0 : teacher.settings.layerwiseWeight
  const alignmentWeight = alpha / (layers * normalisers.frames)
  const weight = lesson === undefined ? undefined : frameWeights(batch, alignmentWeight)
  const guide = (i: number): Guide | undefined => (lesson === undefined ? undefined : { teacher: lesson.hidden[i]!, weight: weight! })

  const inputs = [await student.projection(features, batch)]
  for (let i = 0; i < layers; i++) inputs.push(await student.layer(i, inputs[i]!, batch))
  const { hidden, logits: logitsTensor } = await student.head(inputs[layers]!, batch)
  hidden.dispose()
  const logits = (await device.read(logitsTensor)).data as Float32Array

  const vocabularySize = student.model.config.vocab_size
  const dLogits = new Float32Array(logits.length)
  const shape = { batch: batch.batch, frames: batch.frames, vocabularySize }
  const { losses } = ctcLoss({
    logits,
    ...shape,
    frameLengths: batch.lengths,
    targets: batch.targets,
    blank: student.model.config.pad_token_id,
    scale: 1 / normalisers.characters,
    gradient: dLogits,
  })
  const fits = feasible(batch)
  const ctc = losses.reduce((total, loss, b) => (fits[b]! ? total + loss : total), 0) / normalisers.characters
  const beta = teacher === undefined ? 0 : teacher.settings.outputWeight
  const output =
    lesson === undefined || beta === 0
      ? 0
      : outputDistillation({ teacherLogits: lesson.logits, studentLogits: logits, ...shape, frameWeights: frameWeights(batch, beta / normalisers.frames), gradient: dLogits })

  const weighted = new Array<number>(layers).fill(0)
  let { dx, alignment } = await student.headBackward(inputs[layers]!, float32(dLogits, [batch.batch, batch.frames, vocabularySize]), batch, gradient, guide(layers - 1))
  weighted[layers - 1] = alignment
  for (let i = layers - 1; i >= 0; i--) {
    const above = dx!
    ;({ dx, alignment } = await student.layerBackward(i, inputs[i]!, above, batch, gradient, i < layers - 1 ? guide(i) : undefined))
    if (i < layers - 1) weighted[i] = alignment
    above.dispose()
  }
  const { dx: dFeatures } = await student.projectionBackward(features, dx!, batch, gradient)
  if (frontendTrained) await student.frontendBackward(batch.audio!, dFeatures!, gradient)

  for (const tensor of [features, dx!, dFeatures, logitsTensor, ...inputs, ...(lesson?.hidden ?? [])]) tensor?.dispose()
  const layerwise = weighted.reduce((a, b) => a + b, 0)
  return {
    loss: ctc + layerwise + output,
    ctc,
    layerwise,
    output,
    alignment: alpha === 0 ? [] : weighted.map((value) => (value * layers) / alpha),
    infeasible: fits.filter((fit) => !fit).length,
    logits,
  }
}

/** A frozen frontend's features serve both; a trained one is the student's own, so the teacher hears the audio through its own. */
const guidedBy = async (device: Device, teacher: StageRunner, features: DeviceTensor, batch: TrainingBatch): Promise<{ hidden: DeviceTensor[]; logits: Float32Array }> => {
  if (batch.features !== undefined) return teach(teacher, features, batch, device)
  const own = await teacher.frontend(batch.audio!)
  const lesson = await teach(teacher, own, batch, device)
  own.dispose()
  return lesson
}
