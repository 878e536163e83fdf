import type { Graph } from '../../ir/index.ts'
import { viewOf, type ParameterPlace, type SpeechModel } from '../../models/index.ts'
import { float32, type Device, type DeviceTensor } from '../../runtime/index.ts'
import { GradientSum } from '../gradientSum.ts'
import { AdamW, type AdamWStep } from '../optimiser/adamw.ts'
import { followWeights } from '../optimiser/weightAverage.ts'
import type { Learner, LearnerOptions, LearnerState, StageWeights } from './learner.ts'
import { LossScale } from './lossScale.ts'

/** Parameters one by one, as views of the model's own: for a device that shares this process's memory. */
export class HostWeights implements StageWeights {
  readonly #device: Device
  readonly #model: SpeechModel

  constructor(device: Device, model: SpeechModel) {
    this.#device = device
    this.#model = model
  }

  adapt(built: Graph): Graph {
    return built
  }

  async inputs(stage: string, { inputs }: Graph): Promise<Record<string, DeviceTensor>> {
    const wanted = new Set(inputs.map(({ params }) => params.name))
    const fed: Record<string, DeviceTensor> = {}
    for (const place of this.#model.layout.stage(stage)) {
      if (wanted.has(place.local)) fed[place.local] = await this.#device.upload(float32(viewOf(this.#model.parameters, place), place.shape))
    }
    return fed
  }

  names(stage: string): ReadonlySet<string> {
    return new Set(this.#model.layout.stage(stage).map(({ local }) => local))
  }

  dispose(): void {
    // Views need no giving back.
  }
}

/** Learning in this process's memory. */
export class HostLearner implements Learner {
  readonly weights: StageWeights
  readonly gradient: GradientSum
  readonly state: LearnerState
  readonly lossScale: LossScale
  readonly #optimiser: AdamW

  constructor(device: Device, model: SpeechModel, { averaged, precision }: LearnerOptions = {}) {
    this.weights = new HostWeights(device, model)
    this.gradient = new GradientSum(model.layout)
    this.#optimiser = new AdamW(model.layout.size)
    this.lossScale = new LossScale(precision)
    this.state = { ...this.#optimiser.state, parameters: model.parameters, averaged, lossScale: this.lossScale.state }
  }

  begin(): void {
    this.gradient.clear()
    this.gradient.scale = this.lossScale.value
  }

  step(options: AdamWStep): Promise<void> {
    this.#optimiser.step(this.state.parameters, this.gradient.values, { ...options, gradientScale: options.gradientScale / this.gradient.scale })
    return Promise.resolve()
  }

  follow(decay: number, update: number): Promise<void> {
    const { averaged, parameters } = this.state
    if (averaged !== undefined) followWeights(averaged, parameters, decay, update)
    return Promise.resolve()
  }

  assign(places: readonly ParameterPlace[], value: number): Promise<void> {
    const { averaged, parameters } = this.state
    for (const vector of [parameters, ...(averaged === undefined ? [] : [averaged])]) for (const place of places) viewOf(vector, place).fill(value)
    return Promise.resolve()
  }

  forgetMoments(): void {
    this.state.firstMoment.fill(0)
    this.state.secondMoment.fill(0)
  }

  fetch(): Promise<void> {
    return Promise.resolve()
  }

  dispose(): Promise<void> {
    return Promise.resolve()
  }
}
