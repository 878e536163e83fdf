import { AudioError } from '../errors.ts'
import { graph, input, mulDims, variable, type Graph, type Value } from '../ir/index.ts'
import { noDropout, Parameters, type Padding } from '../nn/index.ts'
import { float32, type Device, type DeviceTensor, type Program } from '../runtime/index.ts'
import { paddingTensors, type BatchFrames } from './batch.ts'
import { viewOf } from './layout.ts'
import { stageScope, type SpeechModel } from './speechModel.ts'
import { frameCount, type Wav2Vec2Config } from './wav2vec2/config.ts'
import { encoderLayer, frontend, head, projection } from './wav2vec2/stages.ts'

/** Inputs of nn's Padding for hidden states of the given lengths. */
export const paddingInputs = (batch: Value['type']['shape'][0], time: Value['type']['shape'][0]): Padding => ({
  valid: input('valid', [batch, time], 'bool'),
  reversal: input('reversal', [mulDims(batch, time)], 'int32'),
})

interface InferenceOptions {
  /** Whether the graph starts at the audio, or at features that the frontend made before. */
  readonly from: 'audio' | 'features'
  /** Whether batches hold utterances of unequal lengths. A single utterance needs no masks and runs faster without. */
  readonly padded: boolean
  /** Whether the N + 1 hidden states come out, as HF's output_hidden_states: the encoder's input, then each layer's output, the last one normed. */
  readonly hiddenStates?: boolean
}

/** The whole model as one graph: parameters under their checkpoint names; outputs `logits`, and `hidden.0` to `hidden.N` if asked for. */
export const inferenceGraph = (config: Wav2Vec2Config, { from, padded, hiddenStates = false }: InferenceOptions): Graph => {
  const p = new Parameters()
  const batch = variable('batch')
  const features =
    from === 'audio'
      ? frontend(stageScope(p, 'frontend'), input('audio', [batch, variable('samples')]), config)
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

/** Padded audio or features of a batch, and how much of each row is valid. */
export interface SpeechBatch {
  /** [batch, samples] or [batch, frames, channels], zero-padded. */
  readonly data: Float32Array
  readonly shape: readonly number[]
  /** Valid samples, or frames, of each row. */
  readonly lengths: Int32Array
}

export interface InferenceResult extends BatchFrames {
  /** [batch, frames, vocab_size]; rows past an utterance's length mean nothing. */
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

/** A model ready to run on a device. Parameters are read at each run, so a model in training is seen as it then is. */
export class Inference {
  readonly #model: SpeechModel
  readonly #device: Device
  readonly #options: Omit<InferenceOptions, 'padded'>
  readonly #programs = new Map<boolean, Promise<Program>>()

  constructor(device: Device, model: SpeechModel, options: Omit<InferenceOptions, 'padded'> = { from: 'audio' }) {
    this.#device = device
    this.#model = model
    this.#options = options
  }

  async run(batch: SpeechBatch): Promise<InferenceResult> {
    const { config, layout, parameters } = this.#model
    const { from } = this.#options
    const sizes: BatchFrames = from === 'audio' ? framesOf(config, batch) : { batch: batch.shape[0]!, frames: batch.shape[1]!, lengths: batch.lengths }
    const padded = sizes.lengths.some((length) => length !== sizes.frames)
    const program = await this.#program(padded)
    const wanted = new Set(program.graph.inputs.map(({ params }) => params.name))
    const inputs: Record<string, DeviceTensor> = { [from]: await this.#device.upload(float32(batch.data, batch.shape)) }
    for (const place of layout.places) if (wanted.has(place.name)) inputs[place.name] = await this.#device.upload(float32(viewOf(parameters, place), place.shape))
    if (padded) for (const [name, tensor] of Object.entries(paddingTensors(sizes))) if (wanted.has(name)) inputs[name] = await this.#device.upload(tensor)

    const outputs = await program.run(inputs)
    const read = async (name: string): Promise<Float32Array> => (await this.#device.read(outputs[name]!)).data as Float32Array
    const logits = await read('logits')
    const hiddenStates = this.#options.hiddenStates === true ? await Promise.all(Array.from({ length: config.num_hidden_layers + 1 }, (_, i) => read(`hidden.${i}`))) : []
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.dispose()
    return { ...sizes, logits, hiddenStates }
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await (await program).dispose()
  }

  #program(padded: boolean): Promise<Program> {
    const known = this.#programs.get(padded)
    if (known !== undefined) return known
    const compiled = this.#device.compile(inferenceGraph(this.#model.config, { ...this.#options, padded }))
    this.#programs.set(padded, compiled)
    return compiled
  }
}
