import { layerStage, type ParameterPlace, type SpeechModel } from '../models/index.ts'
import type { Device, DeviceTensor } from '../runtime/index.ts'
import { openGradient, type Gradient } from './learning/index.ts'
import type { MicroBatch } from './microBatches.ts'
import { normalisersOf, type LossParts, type Normalisers } from './objective.ts'
import type { AdamWSegment } from './optimiser/adamw.ts'
import { decayOf } from './optimiser/fromSettings.ts'
import { disposePass, forwardPass } from './passes.ts'
import { StageRunner } from './runner.ts'
import type { StageOptions } from './stages.ts'

/**
 * The phase in which each mixer of a student learns alone: on the inputs of its layer in the model that the student starts from, towards the
 * output of the attention there. No gradient passes between layers, and nothing but the mixers changes.
 */
export class MixerPhase {
  readonly #device: Device
  readonly #student: StageRunner
  readonly #start: StageRunner

  constructor(device: Device, student: StageRunner, start: SpeechModel, stages: Omit<StageOptions, 'training'>) {
    this.#device = device
    this.#student = student
    this.#start = new StageRunner(device, start, { ...stages, training: false })
  }

  /** Adds the gradient of the mean over layers of the share of the attention's output that the mixer misses, weighted by the batch's share of the update's frames. */
  async learn({ batch }: MicroBatch, features: DeviceTensor, normalisers: Normalisers, gradient: Gradient): Promise<LossParts> {
    const share = normalisersOf([batch]).frames / normalisers.frames
    const pass = await forwardPass(this.#device, this.#start, features, batch)
    const alignment: number[] = []
    const weight = Float32Array.from({ length: batch.batch * batch.frames }, (_, i) => Number(i % batch.frames < batch.lengths[Math.floor(i / batch.frames)]!))
    const own = openGradient(this.#device, this.#student.model.layout)
    own.scale = gradient.scale
    try {
      for (let layer = 0; layer < this.#student.layers; layer++) {
        const attention = await this.#start.mixer(layer, pass.inputs[layer]!, batch)
        alignment.push(share * (await this.#student.mixerBackward(layer, pass.inputs[layer]!, { teacher: attention, weight }, batch, own)))
        attention.dispose()
      }
      await gradient.addScaled(own, share / this.#student.layers)
    } finally {
      disposePass(pass)
      own.clear()
    }
    const layerwise = alignment.reduce((a, b) => a + b, 0) / alignment.length
    return { loss: layerwise, task: 0, layerwise, output: 0, alignment, infeasible: 0 }
  }

  dispose(): Promise<void> {
    return this.#start.dispose()
  }
}

/** Where the mixers' parameters stand, in order. */
const mixerPlaces = ({ layout, config }: SpeechModel): ParameterPlace[] =>
  Array.from({ length: config.num_hidden_layers }, (_, layer) => layout.stage(layerStage(layer)))
    .flat()
    .filter(({ local }) => local.startsWith('attention.'))
    .sort((a, b) => a.offset - b.offset)

/** The mixers' parameters as the optimiser's groups. */
export const mixerSegments = (model: SpeechModel, settings: Parameters<typeof decayOf>[1]): AdamWSegment[] =>
  mixerPlaces(model).map((place) => ({ offset: place.offset, length: place.size, weightDecay: decayOf(place, settings) }))
