import { AudioError } from '../errors.ts'
import { convLength, graph, input, mulDims, variable, type Dim, type Graph, type Value } from '../ir/index.ts'
import { noDropout, Parameters, type Padding } from '../nn/index.ts'
import { float32, type CompileOptions, type Device, type DeviceTensor, type FilePart, type Program } from '../runtime/index.ts'
import { paddingTensors, validFramesTensor, type BatchFrames, type SpeechBatch } from './batch.ts'
import { viewOf, type ParameterPlace } from './layout.ts'
import { stageScope, type SpeechModel, type StoredModel } from './speechModel.ts'
import type { StoredParameters } from './stored.ts'
import { frameCount, type Wav2Vec2Config } from './wav2vec2/config.ts'
import { head } from './wav2vec2/heads.ts'
import { encoderLayer, frontend, projection } from './wav2vec2/stages.ts'

/** Inputs of nn's Padding for hidden states of the given lengths. */
export const paddingInputs = (batch: Value['type']['shape'][0], time: Value['type']['shape'][0]): Padding => ({
  valid: input('valid', [batch, time], 'bool'),
  reversal: input('reversal', [mulDims(batch, time)], 'int32'),
})

/** The input of a group-norm frontend that says which frames of its first convolution count (see `frontend`). */
export const validFramesInput = (config: Wav2Vec2Config, batch: Dim, samples: Dim): Value =>
  input('validFrames', [batch, 1, convLength(samples, config.conv_kernel[0]!, { stride: config.conv_stride[0]!, padBefore: 0, padAfter: 0 })])

/**
 * What a group norm takes its statistics over in a padded batch: each utterance's own frames (`valid`), so that a result does not depend
 * on the batch, or all frames with the padding (`hf`), as HF transformers does.
 */
export type GroupStatistics = 'valid' | 'hf'

interface InferenceOptions {
  /** Whether the graph starts at the audio, or at features that the frontend made before. */
  readonly from: 'audio' | 'features'
  /** Whether batches hold utterances of unequal lengths. A single utterance needs no masks and runs faster without. */
  readonly padded: boolean
  /** Whether the N + 1 hidden states come out, as HF's output_hidden_states: the encoder's input, then each layer's output, the last one normed. */
  readonly hiddenStates?: boolean
  readonly groupStatistics?: GroupStatistics
  /** What stands for the audio, [batch, samples], instead of an input `audio`. */
  readonly audio?: Value
}

/** The whole model as one graph: parameters under their checkpoint names; outputs `logits`, and `hidden.0` to `hidden.N` if asked for. */
export const inferenceGraph = (config: Wav2Vec2Config, { from, padded, hiddenStates = false, groupStatistics = 'valid', audio }: InferenceOptions): Graph => {
  const p = new Parameters()
  const [batch, samples] = [variable('batch'), variable('samples')]
  const ownStatistics = padded && groupStatistics === 'valid' && config.feat_extract_norm === 'group'
  const features =
    from === 'audio'
      ? frontend(stageScope(p, 'frontend'), audio ?? input('audio', [batch, samples]), config, ownStatistics ? validFramesInput(config, batch, samples) : undefined)
      : input('features', [batch, variable('time'), config.conv_dim.at(-1)!])
  // From audio the number of frames follows from the samples; a padded batch brings it as the axis of its masks.
  const padding = padded ? paddingInputs(batch, features.type.shape[1]!) : undefined
  const context = { dropout: noDropout, padding }
  const hidden = [projection(stageScope(p, 'projection'), features, config, context, { time: undefined, feature: undefined })]
  for (let i = 0; i < config.num_hidden_layers; i++) hidden.push(encoderLayer(stageScope(p, i), hidden[i]!, config, context))
  const { hidden: last, logits } = head(stageScope(p, 'head'), hidden.pop()!, config, context)
  const states = hiddenStates ? Object.fromEntries([...hidden, last].map((value, i) => [`hidden.${i}`, value])) : {}
  return graph(`inference from ${from}`, { logits, ...states })
}

export interface InferenceResult extends BatchFrames {
  /** Of a CTC head [batch, frames, vocab_size], rows past an utterance's length mean nothing; of a classifier [batch, labels of all sets]. */
  readonly logits: Float32Array
  readonly hiddenStates: readonly Float32Array[]
}

/** Frames of each row of an audio batch; AudioError when one is shorter than the frontend's receptive field. */
export const framesOf = (config: Wav2Vec2Config, { shape, lengths }: Pick<SpeechBatch, 'shape' | 'lengths'>): BatchFrames => {
  const frames = lengths.map((samples) => frameCount(config, samples))
  const short = frames.indexOf(0)
  if (short >= 0) throw new AudioError(`expected a recording long enough for one output frame, found ${lengths[short]} samples at 16 kHz`)
  return { batch: shape[0]!, frames: frameCount(config, shape[1]!), lengths: frames }
}

/**
 * A model ready to run on a device. One that shares this process's memory reads the parameters of a SpeechModel at each run, so that a model in training is seen as it
 * then is; in a device's own memory they stay until `parametersChanged`. Those of a StoredModel stay with the program, which lays them out for its products.
 */
export class Inference {
  readonly #model: SpeechModel | StoredModel
  readonly #device: Device
  readonly #options: Omit<InferenceOptions, 'padded'>
  readonly #keepsMemory: boolean
  /** By whether they take masks. */
  readonly #programs = new Map<boolean, Promise<Program>>()
  /** By the names of parameters. */
  readonly #resident = new Map<string, DeviceTensor>()

  /** `keepsMemory`: as programs are compiled, and its threads wait awake; false beside the programs of a training. */
  constructor(device: Device, model: SpeechModel | StoredModel, options: Omit<InferenceOptions, 'padded'> = { from: 'audio' }, { keepsMemory = true }: Pick<CompileOptions, 'keepsMemory'> = {}) {
    this.#device = device
    this.#keepsMemory = keepsMemory
    this.#model = model
    this.#options = options
  }

  /** Makes ready what the first run would wait for. `padded`: for batches of unequal lengths. CheckpointError when stored weights were changed since they were opened. */
  async prepare(padded = false): Promise<void> {
    await this.#program(padded)
  }

  async run(batch: SpeechBatch): Promise<InferenceResult> {
    const { config, layout } = this.#model
    const { from } = this.#options
    const sizes: BatchFrames = from === 'audio' ? framesOf(config, batch) : { batch: batch.shape[0]!, frames: batch.shape[1]!, lengths: batch.lengths }
    // Padding too short to make a frame still reaches the statistics of a group norm.
    const unequal = sizes.lengths.some((length) => length !== sizes.frames) || (from === 'audio' && batch.lengths.some((length) => length !== batch.shape[1]))
    // A second program would keep the weights a second time: one that takes masks computes the rest as well.
    const padded = unequal || (this.#stays !== undefined && this.#programs.has(true))
    const program = await this.#program(padded)
    const wanted = new Set(program.graph.inputs.map(({ params }) => params.name))
    const inputs: Record<string, DeviceTensor> = { [from]: await this.#device.upload(float32(batch.data, batch.shape)) }
    if (padded) for (const [name, tensor] of Object.entries(paddingTensors(sizes))) if (wanted.has(name)) inputs[name] = await this.#device.upload(tensor)
    if (wanted.has('validFrames')) inputs.validFrames = await this.#device.upload(validFramesTensor(config, batch))

    const weights = this.#stays !== undefined ? {} : await this.#weights(layout.places.filter(({ name }) => wanted.has(name)))
    const outputs = await program.run({ ...weights, ...inputs })
    const read = async (name: string): Promise<Float32Array> => (await this.#device.read(outputs[name]!)).data as Float32Array
    const logits = await read('logits')
    const hiddenStates = this.#options.hiddenStates === true ? await Promise.all(Array.from({ length: config.num_hidden_layers + 1 }, (_, i) => read(`hidden.${i}`))) : []
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.dispose()
    return { ...sizes, logits, hiddenStates }
  }

  /** Forgets what a device holds of the parameters, which takes memory there until they are wanted again. */
  parametersChanged(): void {
    for (const tensor of this.#resident.values()) tensor.dispose()
    this.#resident.clear()
  }

  async dispose(): Promise<void> {
    this.parametersChanged()
    for (const program of this.#programs.values()) await (await program).dispose()
  }

  /** Weights that programs keep, instead of being given them. */
  get #stays(): StoredParameters | undefined {
    return 'stored' in this.#model && this.#device.sharesMemory ? this.#model.stored : undefined
  }

  /** Parameters as the runs of a program take them, by their names. */
  async #weights(places: readonly ParameterPlace[]): Promise<Record<string, DeviceTensor>> {
    const tensors: Record<string, DeviceTensor> = Object.fromEntries(this.#resident)
    for await (const [{ name, shape }, values] of valuesOf(this.#model, places.filter(({ name }) => !this.#resident.has(name)))) {
      tensors[name] = await this.#device.upload(float32(values, shape))
      if (!this.#device.sharesMemory) this.#resident.set(name, tensors[name])
    }
    return tensors
  }

  async #program(padded: boolean): Promise<Program> {
    const known = this.#programs.get(padded)
    if (known !== undefined) return known
    if (this.#stays !== undefined) {
      for (const program of this.#programs.values()) await (await program).dispose()
      this.#programs.clear()
    }
    const compiled = this.#compile(inferenceGraph(this.#model.config, { ...this.#options, padded }))
    this.#programs.set(padded, compiled)
    return compiled
  }

  async #compile(built: Graph): Promise<Program> {
    const options = { keepsMemory: this.#keepsMemory, waitsAwake: this.#keepsMemory }
    const [stored, { layout }] = [this.#stays, this.#model]
    if (stored === undefined) return this.#device.compile(built, options)
    const taken = new Set(built.inputs.map(({ params }) => params.name))
    const constants = new Map<string, Float32Array | FilePart>([...stored.parts].filter(([name]) => taken.has(name)))
    for await (const [{ name }, values] of stored.read(layout.places.filter(({ name }) => taken.has(name) && !constants.has(name)))) constants.set(name, values)
    const program = await this.#device.compile(built, { ...options, constants })
    await stored.requireUnchanged()
    return program
  }
}

/** Values of parameters, one after the other. */
const valuesOf = async function* (model: SpeechModel | StoredModel, places: readonly ParameterPlace[]): AsyncGenerator<readonly [ParameterPlace, Float32Array]> {
  if ('stored' in model) yield* model.stored.read(places)
  else for (const place of places) yield [place, viewOf(model.parameters, place)]
}
