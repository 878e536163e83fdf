import { fillKeepMask } from '../random.ts'
import { evaluateShape } from '../ir/index.ts'
import { layerStage, paddingTensors, validFramesTensor, type BatchFrames, type SpeechBatch, type SpeechModel } from '../models/index.ts'
import { maskName } from '../nn/index.ts'
import { bool, float32, type Device, type DeviceTensor, type HostTensor, type OutputMemory, type Program } from '../runtime/index.ts'
import { openWeights, type Gradient, type StageWeights } from './learning/index.ts'
import { keptWithin, trainingStages, type StageGraphs, type StageKind, type StageOptions } from './stages.ts'

/** What names the random numbers of one micro-batch. */
export interface RandomKey {
  readonly seed: number
  readonly update: number
  readonly microBatch: number
}

/** SpecAugment's masks of a batch: 1 = hidden; [batch, time] and [batch, hidden_size]. */
export interface HiddenSpans {
  readonly time: Uint8Array | undefined
  readonly feature: Uint8Array | undefined
}

/** Where the dropout masks of a stage come from: the generator in training, stored ones in tests. */
export type MaskSource = (site: string, shape: readonly number[], probability: number) => Uint8Array

/** Masks keyed by (seed, update, micro-batch, layer, site), `prefix` telling apart models that draw in one update, so that a recomputed layer or a resumed run sees the same ones. */
export const drawnMasks =
  ({ seed, update, microBatch }: RandomKey, prefix = ''): MaskSource =>
  (site, shape, probability) => {
    const mask = new Uint8Array(shape.reduce((a, b) => a * b, 1))
    fillKeepMask(mask, probability, seed, 'dropout', update, microBatch, prefix + site)
    return mask
  }

/** The same masks, drawn once: a stage's backward program wants those of its forward program again. */
export const remembered = (source: MaskSource): MaskSource => {
  const known = new Map<string, Uint8Array>()
  return (site, shape, probability) => {
    const mask = known.get(site) ?? source(site, shape, probability)
    known.set(site, mask)
    return mask
  }
}

/** The inputs of one batch that every stage shares. */
export interface BatchContext extends BatchFrames {
  readonly spans: HiddenSpans
  readonly masks: MaskSource
}

/** Teacher's hidden state and the frame weights of the alignment with it. */
export interface Guide {
  readonly teacher: DeviceTensor
  /** [batch, time]. */
  readonly weight: Float32Array
}

type Direction = 'forward' | 'backward' | 'guidedBackward'
/** What a stage's forward program kept for its backward program, by the names of the inputs there. */
export type Kept = Readonly<Record<string, DeviceTensor>>
type Inputs = Readonly<Record<string, HostTensor | DeviceTensor>>

const scaled = ({ dtype, shape, data }: HostTensor, scale: number): HostTensor => (scale === 1 ? { dtype, shape, data } : { dtype, shape, data: data.map((value) => scale * value) })

const isHost = (tensor: HostTensor | DeviceTensor): tensor is HostTensor => 'data' in tensor

/** Runs the stages of one model forward and backward, one program at a time. */
export class StageRunner {
  readonly model: SpeechModel
  readonly #device: Device
  readonly #graphs: Readonly<Record<StageKind, StageGraphs>>
  readonly #programs = new Map<string, Promise<Program>>()
  readonly #float16: boolean
  readonly #weights: StageWeights
  readonly #ownsWeights: boolean

  /** `weights`: of a model that learns, its learner's; by default the model's as they are when they are first wanted. */
  constructor(device: Device, model: SpeechModel, options: StageOptions, weights?: StageWeights) {
    this.#weights = weights ?? openWeights(device, model)
    this.#ownsWeights = weights === undefined
    this.#float16 = options.precision === 'float16'
    this.model = model
    this.#device = device
    this.#graphs = trainingStages(model.config, options)
  }

  get layers(): number {
    return this.model.config.num_hidden_layers
  }

  /** audio: [batch, samples] → features: [batch, time, channels]. */
  async frontend(audio: SpeechBatch): Promise<DeviceTensor> {
    return (await this.#run('frontend', 'forward', 'frontend', this.#audioInputs(audio), undefined)).y!
  }

  /** features → the encoder's input. */
  async projection(features: DeviceTensor, context: BatchContext): Promise<DeviceTensor> {
    return (await this.#run('projection', 'forward', 'projection', { x: features }, context)).y!
  }

  /** The same, keeping all that was dear to compute: little beside what a layer keeps. */
  async keepingProjection(features: DeviceTensor, context: BatchContext): Promise<{ y: DeviceTensor; kept: Kept }> {
    const { y, ...kept } = await this.#run('projection', 'forward', 'projection', { x: features }, context, this.#graphs.projection.dear.length)
    return { y: y!, kept }
  }

  /** How many of a layer's dear results all layers together can keep of a batch in so many bytes. */
  keptWithin(bytes: number, { batch, frames }: Pick<BatchContext, 'batch' | 'frames'>): number {
    return keptWithin(this.#graphs.layer, bytes / this.layers, { batch, time: frames }).count
  }

  /** A layer whose backward pass will get the first `count` of what was dear to compute instead of computing it again; it must get it, or the caller dispose of it. */
  async keepingLayer(index: number, x: DeviceTensor, context: BatchContext, count: number): Promise<{ y: DeviceTensor; kept: Kept }> {
    const { y, ...kept } = await this.#run('layer', 'forward', layerStage(index), { x }, context, count)
    return { y: y!, kept }
  }

  async layer(index: number, x: DeviceTensor, context: BatchContext): Promise<DeviceTensor> {
    return (await this.#run('layer', 'forward', layerStage(index), { x }, context)).y!
  }

  /** What the mixer of a layer makes of the layer's input, without dropout. */
  async mixer(index: number, x: DeviceTensor, context: BatchContext): Promise<DeviceTensor> {
    return (await this.#run('mixer', 'forward', layerStage(index), { x }, context)).y!
  }

  /** Adds the gradient of the share of `teacher` (another mixer's output for the same input) that the mixer misses, and returns the share; `weight`: [batch, time]. */
  async mixerBackward(index: number, x: DeviceTensor, guide: Guide, context: BatchContext, gradient: Gradient): Promise<number> {
    return this.loss((await this.#backward('mixer', layerStage(index), { x }, context, gradient, guide)).alignment)
  }

  /** The last hidden state (behind the final norm) and the logits. */
  async head(x: DeviceTensor, context: BatchContext): Promise<{ hidden: DeviceTensor; logits: DeviceTensor }> {
    const { hidden, logits } = await this.#run('head', 'forward', 'head', { x }, context)
    return { hidden: hidden!, logits: logits! }
  }

  /** Adds the head's parameter gradients to `gradient` and returns the gradient of its input, with the weighted alignment loss. */
  headBackward(x: DeviceTensor, dLogits: HostTensor, context: BatchContext, gradient: Gradient, guide?: Guide): Promise<StageGradient> {
    return this.#backward('head', 'head', { x, dy: scaled(dLogits, gradient.scale) }, context, gradient, guide)
  }

  layerBackward(index: number, x: DeviceTensor, dy: DeviceTensor, context: BatchContext, gradient: Gradient, guide?: Guide, kept?: Kept): Promise<StageGradient> {
    return this.#backward('layer', layerStage(index), { x, dy, ...kept }, context, gradient, guide, Object.keys(kept ?? {}).length)
  }

  /** `dx`, the gradient of the features, is there when the frontend is trained. */
  projectionBackward(features: DeviceTensor, dy: DeviceTensor, context: BatchContext, gradient: Gradient, kept?: Kept): Promise<StageGradient> {
    return this.#backward('projection', 'projection', { x: features, dy, ...kept }, context, gradient, undefined, Object.keys(kept ?? {}).length)
  }

  async frontendBackward(audio: SpeechBatch, dy: DeviceTensor, gradient: Gradient): Promise<void> {
    await this.#backward('frontend', 'frontend', { ...this.#audioInputs(audio), dy }, undefined, gradient)
  }

  /** The alignment loss of a stage, which is disposed of; 0 where there was no guide. To be asked for when all stages have been asked to compute: it waits for the device. */
  async loss(alignment: DeviceTensor | undefined): Promise<number> {
    if (alignment === undefined) return 0
    const [loss] = (await this.#device.read(alignment)).data
    alignment.dispose()
    return loss!
  }

  async dispose(): Promise<void> {
    if (this.#ownsWeights) this.#weights.dispose()
    for (const program of this.#programs.values()) await (await program).dispose()
    this.#programs.clear()
  }

  #audioInputs(audio: SpeechBatch): Inputs {
    return { audio: float32(audio.data, audio.shape), validFrames: validFramesTensor(this.model.config, audio) }
  }

  async #backward(kind: StageKind, stage: string, inputs: Inputs, context: BatchContext | undefined, gradient: Gradient, guide?: Guide, kept = 0): Promise<StageGradient> {
    const guided = guide === undefined || context === undefined ? {} : { teacher: guide.teacher, lossScale: float32(Float32Array.of(gradient.scale), [1, 1, 1]), alignmentWeight: float32(guide.weight, [context.batch, context.frames]) }
    const outputs = await this.#run(kind, guide === undefined ? 'backward' : 'guidedBackward', stage, { ...inputs, ...guided }, context, kept, gradient.memoryOf(stage))
    await gradient.take(stage, outputs, this.#device)
    return { dx: outputs.dx, alignment: outputs.alignment }
  }

  async #run(kind: StageKind, direction: Direction, stage: string, inputs: Inputs, context: BatchContext | undefined, kept = 0, memory: OutputMemory = {}): Promise<Record<string, DeviceTensor>> {
    const program = await this.#program(kind, direction, kept, stage)
    const wanted = new Set(program.graph.inputs.map(({ params }) => params.name))
    const all: Record<string, HostTensor | DeviceTensor> = { ...inputs, ...(await this.#weights.inputs(stage, program.graph)) }
    if (context !== undefined) Object.assign(all, this.#contextInputs(kind, stage, context))
    const fed: Record<string, DeviceTensor> = {}
    const own: DeviceTensor[] = []
    for (const name of wanted) {
      const tensor = all[name]
      if (tensor === undefined) continue
      fed[name] = isHost(tensor) ? await this.#device.upload(tensor) : tensor
      if (isHost(tensor)) own.push(fed[name])
    }
    try {
      return await program.run(fed, memory)
    } finally {
      for (const tensor of own) tensor.dispose()
    }
  }

  #contextInputs(kind: StageKind, stage: string, context: BatchContext): Record<string, HostTensor> {
    const { batch, frames, spans, masks } = context
    const result: Record<string, HostTensor> = { ...paddingTensors(context) }
    if (spans.time !== undefined) result.timeMask = bool(spans.time, [batch, frames, 1])
    if (spans.feature !== undefined) result.featureMask = bool(spans.feature, [batch, 1, this.model.config.hidden_size])
    for (const { site, shape, probability } of this.#graphs[kind].dropout) {
      const lengths = evaluateShape(shape, { batch, time: frames })
      const qualified = stage.startsWith('layers.') ? `${stage}.${site}` : site
      result[maskName(site)] = bool(masks(qualified, lengths, probability), lengths)
    }
    return result
  }

  /** All stages of a kind share their programs. */
  #program(kind: StageKind, direction: Direction, kept: number, stage: string): Promise<Program> {
    const key = `${kind} ${direction} ${kept}`
    const known = this.#programs.get(key)
    if (known !== undefined) return known
    const graph = (kept === 0 ? this.#graphs[kind] : this.#graphs[kind].keeping(kept))[direction]
    if (graph === undefined) throw new TypeError(`the ${kind} has no ${direction} program`)
    const float16 = this.#float16 ? { weights: this.#weights.names(stage) } : undefined
    const compiled = this.#device.compile(this.#weights.adapt(graph, stage), { float16 })
    this.#programs.set(key, compiled)
    return compiled
  }
}

export interface StageGradient {
  readonly dx: DeviceTensor | undefined
  /** Weighted alignment loss of this stage, [1, 1, 1], for `loss`; undefined without a guide. */
  readonly alignment: DeviceTensor | undefined
}
