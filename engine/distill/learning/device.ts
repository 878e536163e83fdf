import type { Graph } from '../../ir/index.ts'
import type { ParameterLayout, ParameterPlace, SpeechModel } from '../../models/index.ts'
import { float32, type Device, type DeviceTensor, type OutputMemory, type Program } from '../../runtime/index.ts'
import { adamWDefaults, checkSegments, type AdamWSegment, type AdamWStep } from '../optimiser/adamw.ts'
import { averageShare } from '../optimiser/weightAverage.ts'
import type { Gradient, Learner, LearnerOptions, LearnerState, StageWeights } from './learner.ts'
import { LossScale } from './lossScale.ts'
import { packed, packedGradient, packedParameters, packedRows, packedWidth, stageView } from './packing.ts'
import { adamWStep, overwritten, sumOfSquares, weightedSum } from './updates.ts'

/** A vector of all parameters' size that lives on the device, a packed tensor a stage; a stage goes up when it is first wanted. */
class PackedVector {
  readonly #device: Device
  readonly #layout: ParameterLayout
  /** What it starts from, and where it comes back to. */
  readonly #host: Float32Array
  readonly #stages = new Map<string, DeviceTensor>()

  constructor(device: Device, layout: ParameterLayout, host: Float32Array) {
    this.#device = device
    this.#layout = layout
    this.#host = host
  }

  async stage(name: string): Promise<DeviceTensor> {
    const known = this.#stages.get(name)
    if (known !== undefined) return known
    const tensor = await uploadPacked(this.#device, stageView(this.#host, this.#layout.stage(name)))
    this.#stages.set(name, tensor)
    return tensor
  }

  /** Brings back what is on the device. */
  async fetch(): Promise<void> {
    for (const [name, tensor] of this.#stages) {
      const own = stageView(this.#host, this.#layout.stage(name))
      own.set(((await this.#device.read(tensor)).data as Float32Array).subarray(0, own.length))
    }
  }

  dispose(): void {
    for (const tensor of this.#stages.values()) tensor.dispose()
    this.#stages.clear()
  }
}

/** A copy of the values as a packed tensor. */
const uploadPacked = (device: Device, values: Float32Array): Promise<DeviceTensor> => {
  const padded = new Float32Array(packedRows(values.length) * packedWidth)
  padded.set(values)
  return device.upload(float32(padded, [packedRows(values.length), packedWidth]))
}

/** Stages in the order of the layout, without those that have no parameters. */
const stagesOf = (layout: ParameterLayout): string[] => [...new Set(layout.places.map(({ stage }) => stage))]

/** Parameters packed on the device, a tensor a stage. */
export class PackedWeights implements StageWeights {
  readonly #layout: ParameterLayout
  readonly #parameters: PackedVector

  constructor(device: Device, { layout, parameters }: SpeechModel) {
    this.#layout = layout
    this.#parameters = new PackedVector(device, layout, parameters)
  }

  adapt(built: Graph, stage: string): Graph {
    return packed(built, this.#layout.stage(stage))
  }

  async inputs(stage: string, { inputs }: Graph): Promise<Record<string, DeviceTensor>> {
    return inputs.some(({ params }) => params.name === packedParameters) ? { [packedParameters]: await this.stage(stage) } : {}
  }

  names(): ReadonlySet<string> {
    return new Set([packedParameters])
  }

  /** The parameters of a stage, which programs may change in place. */
  stage(name: string): Promise<DeviceTensor> {
    return this.#parameters.stage(name)
  }

  fetch(): Promise<void> {
    return this.#parameters.fetch()
  }

  dispose(): void {
    this.#parameters.dispose()
  }
}

/** The programs that learning on a device takes besides those of the model. */
class UpdatePrograms {
  readonly #device: Device
  readonly #programs = new Map<string, Promise<Program>>()

  constructor(device: Device) {
    this.#device = device
  }

  weightedSum(): Promise<Program> {
    return this.#program('sum', weightedSum, { sum: 'y' })
  }

  sumOfSquares(): Promise<Program> {
    return this.#program('squares', sumOfSquares, {})
  }

  overwritten(): Promise<Program> {
    return this.#program('overwritten', overwritten, { result: 'y' })
  }

  adamW(partly: boolean): Promise<Program> {
    return this.#program(`adamW ${partly}`, () => adamWStep(adamWDefaults, partly), { parameters: 'p', firstMoment: 'm', secondMoment: 'v' })
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await (await program).dispose()
    this.#programs.clear()
  }

  #program(key: string, build: () => Graph, inPlace: Readonly<Record<string, string>>): Promise<Program> {
    const known = this.#programs.get(key)
    if (known !== undefined) return known
    const compiled = this.#device.compile(build(), { inPlace })
    this.#programs.set(key, compiled)
    return compiled
  }
}

/** Runs with numbers that are there for this run alone. */
const withNumbers = async <T>(device: Device, numbers: Readonly<Record<string, number>>, run: (tensors: Record<string, DeviceTensor>) => Promise<T>): Promise<T> => {
  const tensors: Record<string, DeviceTensor> = {}
  try {
    for (const [name, value] of Object.entries(numbers)) tensors[name] = await device.upload(float32(Float32Array.of(value), [1]))
    return await run(tensors)
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose()
  }
}

/** A gradient that stays and is summed on the device, a packed tensor a stage. */
export class DeviceGradient implements Gradient {
  scale = 1
  readonly #device: Device
  readonly #layout: ParameterLayout
  readonly #programs: UpdatePrograms
  readonly #sums = new Map<string, DeviceTensor>()

  constructor(device: Device, layout: ParameterLayout, programs = new UpdatePrograms(device)) {
    this.#device = device
    this.#layout = layout
    this.#programs = programs
  }

  clear(): void {
    for (const tensor of this.#sums.values()) tensor.dispose()
    this.#sums.clear()
  }

  memoryOf(): OutputMemory {
    return {}
  }

  async take(stage: string, { [packedGradient]: gradient }: Readonly<Record<string, DeviceTensor>>): Promise<void> {
    if (gradient === undefined) return
    if (!this.#sums.has(stage)) this.#sums.set(stage, gradient)
    else {
      await this.#add(stage, gradient, 1)
      gradient.dispose()
    }
  }

  async addScaled(other: DeviceGradient, factor: number): Promise<void> {
    for (const [stage, tensor] of other.#sums) {
      if (!this.#sums.has(stage)) this.#sums.set(stage, await uploadPacked(this.#device, new Float32Array(stageView(new Float32Array(this.#layout.size), this.#layout.stage(stage)).length)))
      await this.#add(stage, tensor, factor)
    }
  }

  async norm(): Promise<number> {
    const program = await this.#programs.sumOfSquares()
    let total = await this.#device.upload(float32(Float32Array.of(0), [1, 1]))
    for (const x of this.#sums.values()) {
      const { squares } = await program.run({ x, total })
      total.dispose()
      total = squares!
    }
    const { data } = await this.#device.read(total)
    total.dispose()
    return Math.sqrt(data[0]!) / this.scale
  }

  async read(): Promise<Float32Array> {
    const values = new Float32Array(this.#layout.size)
    for (const [stage, tensor] of this.#sums) {
      const own = stageView(values, this.#layout.stage(stage))
      own.set(((await this.#device.read(tensor)).data as Float32Array).subarray(0, own.length))
    }
    return this.scale === 1 ? values : values.map((value) => value / this.scale)
  }

  /** `scale` times the gradient of a stage; undefined where nothing was added. */
  stage(name: string): DeviceTensor | undefined {
    return this.#sums.get(name)
  }

  async #add(stage: string, x: DeviceTensor, factor: number): Promise<void> {
    const program = await this.#programs.weightedSum()
    await withNumbers(this.#device, { a: 1, b: factor }, ({ a, b }) => program.run({ y: this.#sums.get(stage)!, x, a: a!, b: b! }))
  }
}

/** What AdamW is told of each element of a stage. */
interface ElementVectors {
  readonly decay: DeviceTensor
  /** Where only some elements take part, or at rates of their own. */
  readonly partly: Readonly<Record<'scale' | 'covered' | 'others', DeviceTensor>> | undefined
}

/** Learning on a device with memory of its own: parameters, gradient, moments and average stay there. */
export class DeviceLearner implements Learner {
  readonly weights: PackedWeights
  readonly gradient: DeviceGradient
  readonly state: LearnerState
  readonly lossScale: LossScale
  readonly #device: Device
  readonly #layout: ParameterLayout
  readonly #programs: UpdatePrograms
  readonly #firstMoment: PackedVector
  readonly #secondMoment: PackedVector
  readonly #averaged: PackedVector | undefined
  /** By what segments say of a stage: layers share theirs. */
  readonly #elements = new Map<string, ElementVectors>()
  /** What changed on the device since it last came back. */
  readonly #changed = { weights: false, moments: false }

  constructor(device: Device, model: SpeechModel, { averaged, precision }: LearnerOptions = {}) {
    const { layout, parameters } = model
    const zeros = (): Float32Array => new Float32Array(layout.size)
    this.#device = device
    this.#layout = layout
    this.#programs = new UpdatePrograms(device)
    this.lossScale = new LossScale(precision)
    this.state = { parameters, firstMoment: zeros(), secondMoment: zeros(), averaged, lossScale: this.lossScale.state }
    this.weights = new PackedWeights(device, model)
    this.gradient = new DeviceGradient(device, layout, this.#programs)
    this.#firstMoment = new PackedVector(device, layout, this.state.firstMoment)
    this.#secondMoment = new PackedVector(device, layout, this.state.secondMoment)
    this.#averaged = averaged === undefined ? undefined : new PackedVector(device, layout, averaged)
  }

  begin(): void {
    this.gradient.clear()
    this.gradient.scale = this.lossScale.value
  }

  async step({ learningRate, update, gradientScale, segments }: AdamWStep): Promise<void> {
    checkSegments(this.#layout.size, update, segments)
    const numbers = {
      gradientScale: gradientScale / this.gradient.scale,
      rate: learningRate,
      stepSize: learningRate / (1 - adamWDefaults.beta1 ** update),
      correction: 1 / Math.sqrt(1 - adamWDefaults.beta2 ** update),
    }
    await withNumbers(this.#device, numbers, async (tensors) => {
      for (const stage of stagesOf(this.#layout)) await this.#stepStage(stage, tensors, segments)
    })
    this.#changed.weights = this.#changed.moments = true
  }

  async follow(decay: number, update: number): Promise<void> {
    if (this.#averaged === undefined) return
    const program = await this.#programs.weightedSum()
    const share = averageShare(decay, update)
    await withNumbers(this.#device, { a: 1 - share, b: share }, async ({ a, b }) => {
      for (const stage of stagesOf(this.#layout)) await program.run({ y: await this.#averaged!.stage(stage), x: await this.weights.stage(stage), a: a!, b: b! })
    })
  }

  async assign(places: readonly ParameterPlace[], value: number): Promise<void> {
    const program = await this.#programs.overwritten()
    const stages = [...new Set(places.map(({ stage }) => stage))]
    await withNumbers(this.#device, { value }, async (numbers) => {
      for (const stage of stages) {
        const own = places.filter((place) => place.stage === stage)
        const { partly } = await this.#elementsOf(stage, own.map(({ offset, size }) => ({ offset, length: size, weightDecay: 0 })))
        const { covered: chosen, others } = partly!
        for (const vector of [this.weights, ...(this.#averaged === undefined ? [] : [this.#averaged])]) await program.run({ y: await vector.stage(stage), chosen, others, value: numbers.value! })
      }
    })
    this.#changed.weights = true
  }

  forgetMoments(): void {
    for (const [vector, host] of [[this.#firstMoment, this.state.firstMoment], [this.#secondMoment, this.state.secondMoment]] as const) {
      vector.dispose()
      host.fill(0)
    }
    this.#changed.moments = false
  }

  async fetch(what: 'weights' | 'all'): Promise<void> {
    if (this.#changed.weights) {
      await this.weights.fetch()
      await this.#averaged?.fetch()
      this.#changed.weights = false
    }
    if (what === 'all' && this.#changed.moments) {
      await this.#firstMoment.fetch()
      await this.#secondMoment.fetch()
      this.#changed.moments = false
    }
  }

  async dispose(): Promise<void> {
    this.gradient.clear()
    for (const vector of [this.weights, this.#firstMoment, this.#secondMoment, this.#averaged]) vector?.dispose()
    for (const { decay, partly } of this.#elements.values()) for (const tensor of [decay, ...(partly === undefined ? [] : Object.values(partly))]) tensor.dispose()
    this.#elements.clear()
    await this.#programs.dispose()
  }

  async #stepStage(stage: string, numbers: Readonly<Record<string, DeviceTensor>>, segments: readonly AdamWSegment[]): Promise<void> {
    const places = this.#layout.stage(stage)
    const [first, last] = [places[0]!, places.at(-1)!]
    const [start, end] = [first.offset, last.offset + last.size]
    const own = segments.flatMap((segment) => {
      const [from, to] = [Math.max(start, segment.offset), Math.min(end, segment.offset + segment.length)]
      return from < to ? [{ ...segment, offset: from, length: to - from }] : []
    })
    if (own.length === 0) return
    const { decay, partly } = await this.#elementsOf(stage, own)
    const gradient = this.gradient.stage(stage)
    const g = gradient ?? (await uploadPacked(this.#device, new Float32Array(end - start)))
    const program = await this.#programs.adamW(partly !== undefined)
    await program.run({ ...numbers, ...partly, decay, g, p: await this.weights.stage(stage), m: await this.#firstMoment.stage(stage), v: await this.#secondMoment.stage(stage) })
    if (gradient === undefined) g.dispose()
  }

  /** Of segments that lie in the stage. */
  async #elementsOf(stage: string, segments: readonly AdamWSegment[]): Promise<ElementVectors> {
    const places = this.#layout.stage(stage)
    const start = places[0]!.offset
    const size = places.reduce((total, place) => total + place.size, 0)
    const inStage = segments.map(({ offset, length, weightDecay, learningRateScale = 1 }) => ({ from: offset - start, to: offset - start + length, weightDecay, scale: learningRateScale }))
    const key = JSON.stringify([size, inStage])
    const known = this.#elements.get(key)
    if (known !== undefined) return known
    const vector = async (of: (segment: (typeof inStage)[number]) => number, rest: number): Promise<DeviceTensor> => {
      const values = new Float32Array(size).fill(rest)
      for (const segment of inStage) values.fill(of(segment), segment.from, segment.to)
      return uploadPacked(this.#device, values)
    }
    const whole = inStage.reduce((total, { from, to }) => total + to - from, 0) === size && inStage.every(({ scale }) => scale === 1)
    const elements: ElementVectors = {
      decay: await vector(({ weightDecay }) => weightDecay, 0),
      partly: whole ? undefined : { scale: await vector(({ scale }) => scale, 0), covered: await vector(() => 1, 0), others: await vector(() => 0, 1) },
    }
    this.#elements.set(key, elements)
    return elements
  }
}
