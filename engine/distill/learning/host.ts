import type { Graph } from '../../ir/index.ts'
import { viewOf, type ParameterPlace, type SpeechModel } from '../../models/index.ts'
import { float32, type Device, type DeviceTensor, type Program } from '../../runtime/index.ts'
import { GradientSum } from '../gradientSum.ts'
import { gradientNorm } from '../optimiser/clip.ts'
import { adamWDefaults, checkSegments, type AdamWSegment, type AdamWStep } from '../optimiser/adamw.ts'
import { followWeights } from '../optimiser/weightAverage.ts'
import type { Learner, LearnerOptions, LearnerState, StageWeights } from './learner.ts'
import { LossScale } from './lossScale.ts'
import { adamWOfStretch, rowsOfSquares } from './updates.ts'

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

/** Parameters that AdamW updates at once: what a dozen operations on them read and write stays in a processor's own cache. */
const stretch = 2 ** 17

/** AdamW on all threads of a device that shares this process's memory; `optimiser/adamw.ts` says plainly what it computes. */
class StretchedAdamW {
  readonly #device: Device
  #program: Promise<Program> | undefined

  constructor(device: Device) {
    this.#device = device
  }

  async step({ parameters, firstMoment, secondMoment }: Pick<LearnerState, 'parameters' | 'firstMoment' | 'secondMoment'>, gradient: Float32Array, options: AdamWStep): Promise<void> {
    checkSegments(parameters.length, options.update, options.segments)
    this.#program ??= this.#device.compile(adamWOfStretch(adamWDefaults), { waitsAwake: true, inPlace: { parameters: 'p', firstMoment: 'm', secondMoment: 'v' } })
    const program = await this.#program
    const view = (vector: Float32Array, from: number, to: number): Promise<DeviceTensor> => this.#device.upload(float32(vector.subarray(from, to), [to - from]))
    for (const segment of options.segments) {
      const numbers = Object.fromEntries(await Promise.all(Object.entries(numbersOf(segment, options)).map(async ([name, value]) => [name, await this.#device.upload(float32(Float32Array.of(value), [1]))] as const)))
      const end = segment.offset + segment.length
      for (let from = segment.offset; from < end; from += stretch) {
        const to = Math.min(end, from + stretch)
        await program.run({ ...numbers, p: await view(parameters, from, to), m: await view(firstMoment, from, to), v: await view(secondMoment, from, to), g: await view(gradient, from, to) })
      }
    }
  }

  async dispose(): Promise<void> {
    await (await this.#program)?.dispose()
    this.#program = undefined
  }
}

const numbersOf = ({ weightDecay, learningRateScale = 1 }: AdamWSegment, { learningRate, update, gradientScale }: AdamWStep): Readonly<Record<string, number>> => {
  const { beta1, beta2, epsilon } = adamWDefaults
  const rate = learningRate * learningRateScale
  const correction = Math.sqrt(1 - beta2 ** update)
  return {
    gain1: (1 - beta1) * gradientScale,
    gain2: (1 - beta2) * gradientScale ** 2,
    keep: 1 - rate * weightDecay,
    stepSize: (rate * correction) / (1 - beta1 ** update),
    floor: epsilon * correction,
  }
}

/** Numbers that are added up in float32, before their sums are in float64. */
const rowWidth = 1024
/** Rows that are added up at once. */
const rowsAtOnce = 512

/** The Euclidean norm of a vector, on all threads of a device that shares this process's memory. */
class StretchedNorm {
  readonly #device: Device
  #program: Promise<Program> | undefined

  constructor(device: Device) {
    this.#device = device
  }

  async of(values: Float32Array): Promise<number> {
    this.#program ??= this.#device.compile(rowsOfSquares(rowWidth), { waitsAwake: true })
    const program = await this.#program
    const whole = Math.floor(values.length / rowWidth)
    let total = gradientNorm([values.subarray(whole * rowWidth)]) ** 2
    for (let from = 0; from < whole; from += rowsAtOnce) {
      const to = Math.min(whole, from + rowsAtOnce)
      const { squares } = await program.run({ x: await this.#device.upload(float32(values.subarray(from * rowWidth, to * rowWidth), [to - from, rowWidth])) })
      for (const sum of (await this.#device.read(squares!)).data) total += sum
      squares!.dispose()
    }
    return Math.sqrt(total)
  }

  async dispose(): Promise<void> {
    await (await this.#program)?.dispose()
    this.#program = undefined
  }
}

/** Learning in this process's memory. */
export class HostLearner implements Learner {
  readonly weights: StageWeights
  readonly gradient: GradientSum
  readonly state: LearnerState
  readonly lossScale: LossScale
  readonly #optimiser: StretchedAdamW
  readonly #norm: StretchedNorm

  constructor(device: Device, model: SpeechModel, { averaged, precision }: LearnerOptions = {}) {
    this.weights = new HostWeights(device, model)
    this.#norm = new StretchedNorm(device)
    this.gradient = new GradientSum(model.layout, (values) => this.#norm.of(values))
    this.#optimiser = new StretchedAdamW(device)
    this.lossScale = new LossScale(precision)
    const moment = (): Float32Array => new Float32Array(model.layout.size)
    this.state = { firstMoment: moment(), secondMoment: moment(), parameters: model.parameters, averaged, lossScale: this.lossScale.state }
  }

  begin(): void {
    this.gradient.clear()
    this.gradient.scale = this.lossScale.value
  }

  step(options: AdamWStep): Promise<void> {
    return this.#optimiser.step(this.state, this.gradient.values, { ...options, gradientScale: options.gradientScale / this.gradient.scale })
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

  async dispose(): Promise<void> {
    await this.#norm.dispose()
    await this.#optimiser.dispose()
  }
}
