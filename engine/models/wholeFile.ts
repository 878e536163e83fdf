import { UsageError } from '../errors.ts'
import { largestFloat16 } from '../float16.ts'
import * as ir from '../ir/index.ts'
import type { Dim, Value } from '../ir/index.ts'
import { lower, type Emitter, type LoweringOptions, type OnnxModel, type Precision } from '../onnx/index.ts'
import { inferenceGraph } from './inference.ts'
import { viewOf } from './layout.ts'
import type { SpeechModel } from './speechModel.ts'
import type { Wav2Vec2Config } from './wav2vec2/config.ts'

/** Added to the variance under the root, as HF's Wav2Vec2FeatureExtractor does. */
const normalisationEpsilon = 1e-7

/** Long sums are taken in pieces of this length: a running float32 sum over minutes of samples would lose digits. */
const pieceLength = 1024

/**
 * Each utterance of audio [batch, samples] at zero mean and unit variance over its own samples (`valid`, bool [batch, samples]), zero on
 * padding: what Wav2Vec2 models with do_normalize hear. Audio that is normalised already stays as it is.
 */
export const normaliseWaveform = (audio: Value, valid: Value): Value => {
  const [batch, samples] = audio.type.shape as [Dim, Dim]
  const pieces = ir.floorDivDim(ir.addDims(samples, pieceLength - 1), pieceLength)
  const total = (x: Value): Value => {
    const whole = ir.pad(x, 1, 0, ir.subDims(ir.mulDims(pieces, pieceLength), samples))
    return ir.reshape(ir.sum(ir.reshape(whole, [batch, pieces, pieceLength]), [1, 2]), [batch, 1])
  }
  const kept = (x: Value): Value => ir.select(valid, x, ir.scalar(0))
  const count = total(kept(ir.scalar(1)))
  const centred = kept(ir.sub(audio, ir.div(total(kept(audio)), count)))
  const variance = ir.div(total(ir.square(centred)), count)
  return ir.mul(centred, ir.reciprocal(ir.sqrt(ir.add(variance, ir.scalar(normalisationEpsilon)))))
}

/** Output frames of so many samples through some convolutions, 0 for too few: int64 nodes like `frameCount`. */
const emitFrameCounts = (emitter: Emitter, samples: string, { conv_kernel, conv_stride }: Pick<Wav2Vec2Config, 'conv_kernel' | 'conv_stride'>): string =>
  conv_kernel.reduce((length, kernel, i) => {
    const stride = conv_stride[i]!
    // ONNX divides towards zero, so a length below the kernel must not become negative.
    const covered = emitter.emit('Max', [emitter.emit('Add', [length, emitter.int64s(stride - kernel)]), emitter.int64s(0)])
    return emitter.emit('Div', [covered, emitter.int64s(stride)])
  }, samples)

/** 0, 1, … below a length, int64. */
const emitPositions = (emitter: Emitter, length: Dim): string => {
  const end = emitter.emit('Squeeze', [emitter.length(length)])
  return emitter.emit('Range', [emitter.constant('int64', [0], []), end, emitter.constant('int64', [1], [])])
}

/** The graph inputs that say which samples and frames are an utterance's own (`paddingTensors`, `validFramesTensor`), from the input `lengths`. */
const maskNodes = (config: Wav2Vec2Config, batch: Dim, samples: Dim, frames: Dim, firstFrames: Dim): Pick<LoweringOptions, 'computed' | 'extraInputs' | 'extraOutputs'> => {
  const made = new Map<string, string>()
  const once = (key: string, make: () => string): string => {
    const name = made.get(key) ?? make()
    made.set(key, name)
    return name
  }
  const column = (emitter: Emitter, x: string): string => emitter.emit('Unsqueeze', [x, emitter.int64s(1)])
  // An utterance has no more samples than its row.
  const sampleCounts = (emitter: Emitter): string => once('samples', () => emitter.emit('Min', ['lengths', emitter.length(samples)]))
  const frameCounts = (emitter: Emitter): string => once('frames', () => emitFrameCounts(emitter, sampleCounts(emitter), config))
  const positions = (emitter: Emitter): string => once('positions', () => emitPositions(emitter, frames))
  const valid = (emitter: Emitter): string => once('valid', () => emitter.emit('Less', [positions(emitter), column(emitter, frameCounts(emitter))]))
  const first = { conv_kernel: config.conv_kernel.slice(0, 1), conv_stride: config.conv_stride.slice(0, 1) }
  return {
    computed: {
      sampleValid: (emitter) => emitter.emit('Less', [emitPositions(emitter, samples), column(emitter, sampleCounts(emitter))]),
      valid,
      reversal: (emitter) => {
        const mirrored = emitter.emit('Sub', [emitter.emit('Sub', [column(emitter, frameCounts(emitter)), emitter.int64s(1)]), positions(emitter)])
        const inRow = emitter.emit('Where', [valid(emitter), mirrored, positions(emitter)])
        const starts = emitter.emit('Mul', [emitPositions(emitter, batch), emitter.length(frames)])
        return emitter.cast(emitter.emit('Reshape', [emitter.emit('Add', [inRow, column(emitter, starts)]), emitter.int64s(-1)]), 'int32')
      },
      validFrames: (emitter) => {
        const own = emitter.emit('Less', [emitPositions(emitter, firstFrames), column(emitter, emitFrameCounts(emitter, sampleCounts(emitter), first))])
        return emitter.emit('Unsqueeze', [emitter.cast(own, 'float32'), emitter.int64s(1)])
      },
    },
    extraInputs: [{ name: 'lengths', type: 'int64', shape: ['batch'] }],
    extraOutputs: [{ info: { name: 'frame_lengths', type: 'int64', shape: ['batch'] }, compute: frameCounts }],
  }
}

interface WholeFileOptions {
  readonly precision: Precision
  /** Whether the file normalises what it hears (preprocessor_config.json's do_normalize). */
  readonly normalise: boolean
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * The whole model in one ONNX graph that needs nothing beside it: `input_values` (float32 [batch, samples], any value on padding) and `lengths`
 * (int64 [batch], samples of each row that are speech) in; `logits` (float32 [batch, frames, vocabulary]) and `frame_lengths` (int64 [batch]) out.
 * Rows of logits past an utterance's frame length mean nothing.
 */
export const wholeFile = ({ config, layout, parameters }: SpeechModel, { precision, normalise, metadata }: WholeFileOptions): OnnxModel => {
  const [batch, samples] = [ir.variable('batch'), ir.variable('samples')]
  const given = ir.input('input_values', [batch, samples])
  const audio = normalise ? normaliseWaveform(given, ir.input('sampleValid', [batch, samples], 'bool')) : given
  const whole = inferenceGraph(config, { from: 'audio', padded: true, audio })
  const frames = whole.outputs.logits!.type.shape[1]!
  const firstFrames = ir.convLength(samples, config.conv_kernel[0]!, { stride: config.conv_stride[0]!, padBefore: 0, padAfter: 0 })
  return lower(whole, {
    precision,
    metadata,
    parameters: new Map(layout.places.map((place) => [place.name, viewOf(parameters, place)])),
    lengthNames: typeof frames === 'number' ? {} : { [frames.key]: 'frames' },
    ...maskNodes(config, batch, samples, frames, firstFrames),
  })
}

/** UsageError when a parameter does not fit float16; `flag` is what asked for it. */
export const requireFloat16 = ({ layout, parameters }: SpeechModel, flag: string): void => {
  for (const place of layout.places) {
    // From half-way to the next power of two on, a value rounds to infinity.
    const beyond = viewOf(parameters, place).find((value) => Math.abs(value) >= largestFloat16 + 16)
    if (beyond !== undefined) throw new UsageError(`${flag}: expected weights of magnitudes up to ${largestFloat16}, found ${beyond} in ${place.name}`)
  }
}
