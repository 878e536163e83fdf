import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { normaliseAudio } from '../audio/index.ts'
import { locateWeights, requireEmptyFolder, sha256OfWeights, statedLicence, writeCard, writeFileAtomic } from '../checkpoint/index.ts'
import { InterruptedError, RuntimeError, UsageError } from '../errors.ts'
import type { Vocabulary } from '../datasets/index.ts'
import { describeHead, headOf, Inference, onnxCard, requireFloat16, samplesPerFrame, saveModel, wholeFile } from '../models/index.ts'
import { encodePieces, opset, type Precision } from '../onnx/index.ts'
import { fillUniform } from '../random.ts'
import { openDevice, openOnnxFile } from '../runtime/index.ts'
import { openReadyModel, type JobContext, type ReadyModel } from './context.ts'

export interface ExportSettings {
  readonly model: string
  /** The ONNX file, or the new model folder for safetensors. */
  readonly out: string
  readonly format: 'onnx' | 'safetensors'
  readonly precision: Precision
  /** Whether an ONNX file is run beside the engine before it takes its place. */
  readonly check: boolean
  readonly threads: number
}

/** How an ONNX file compares with the engine on a padded batch of unequal lengths. */
interface Agreement {
  /** Largest difference between two logits, and the largest logit of the engine. */
  readonly largestDifference: number
  readonly largestLogit: number
  /** Share of frames whose most probable token is the same. */
  readonly sameToken: number
  readonly frames: number
}

export interface Exported {
  readonly out: string
  readonly format: ExportSettings['format']
  readonly precision: Precision
  readonly bytes: number
  /** SHA-256 of the weights that were exported. */
  readonly sourceSha256: string
  /** The card beside an ONNX file; null where somebody's own card stands. */
  readonly card: string | null
  readonly agreement: Agreement | null
}

/** Protocol buffers, and with them ONNX files, end here. */
const mostOnnxBytes = 2 ** 31 - 1

/** UsageError when so many bytes do not fit one ONNX file. */
export const requireOnnxSize = (bytes: number, out: string, precision: Precision): void => {
  if (bytes <= mostOnnxBytes) return
  const remedy = precision === 'float32' ? '; --float16 needs half of that' : '; --format safetensors has no such limit'
  throw new UsageError(`${out}: expected at most 2 GiB, all that one ONNX file can hold, found ${(bytes / 2 ** 30).toFixed(2)} GiB${remedy}`)
}

/** Everything that who receives the file needs besides it; all values are text, as ONNX wants. */
const metadataOf = ({ model, audio }: ReadyModel, vocabulary: Vocabulary, { precision }: ExportSettings, sourceSha256: string, licence: string | undefined): Record<string, string> => {
  return {
    model_type: model.config.model_type,
    precision,
    sampling_rate: String(audio.samplingRate),
    do_normalize: String(audio.normalise),
    normalisation: audio.normalise ? 'zero mean and unit variance over each recording, done by the file' : 'none',
    samples_per_frame: String(samplesPerFrame(model.config)),
    vocabulary: JSON.stringify(vocabulary.toJSON()),
    blank: String(vocabulary.blank),
    word_delimiter: vocabulary.delimiter,
    source_sha256: sourceSha256,
    ...(model.config.cald === undefined ? {} : { lineage: JSON.stringify(model.config.cald) }),
    ...(licence === undefined ? {} : { licence }),
  }
}

/** Seconds of the recordings that a file is checked with. */
const checkedSeconds = [1.7, 0.45, 1.1]
/** Of the largest logit, or of 1 if that is less; a float16 file has no bound but must be finite. */
const tolerance = 1e-4

/** Runs a file beside the engine on noise in a padded batch; RuntimeError when it does not give the engine's logits. */
const compare = async (path: string, { model, audio }: ReadyModel, { precision, threads, out }: ExportSettings): Promise<Agreement> => {
  const samples = checkedSeconds.map((seconds) => Math.max(Math.round(seconds * audio.samplingRate), 4 * samplesPerFrame(model.config)))
  const width = Math.max(...samples)
  const recordings = new Float32Array(samples.length * width)
  const heard = new Float32Array(samples.length * width)
  samples.forEach((length, b) => {
    const recording = recordings.subarray(b * width, b * width + length)
    fillUniform(recording, -0.3, 0.4, 1, 'export check', b)
    heard.set(audio.normalise ? normaliseAudio(recording) : recording, b * width)
  })
  const shape = [samples.length, width]
  const device = openDevice('cpu', { threads })
  const inference = new Inference(device, model)
  const own = await inference.run({ data: heard, shape, lengths: Int32Array.from(samples) })
  await inference.dispose()
  await device.dispose()
  const file = await openOnnxFile(path, { threads })
  const { logits } = await file.run({ input_values: { shape, data: recordings }, lengths: { shape: [samples.length], data: BigInt64Array.from(samples, BigInt) } })
  await file.dispose()

  const tokens = model.config.vocab_size
  const result = { largestDifference: 0, largestLogit: 0, sameToken: 0, frames: 0 }
  own.lengths.forEach((frames, b) => {
    for (let frame = 0; frame < frames; frame++) {
      const start = (b * own.frames + frame) * tokens
      const [expected, found] = [own.logits, logits!.data as Float32Array].map((data) => data.subarray(start, start + tokens)) as [Float32Array, Float32Array]
      expected.forEach((value, i) => {
        // Math.max keeps a NaN.
        result.largestDifference = Math.max(result.largestDifference, Math.abs(value - found[i]!))
        result.largestLogit = Math.max(result.largestLogit, Math.abs(value))
      })
      result.frames++
      if (expected.indexOf(Math.max(...expected)) === found.indexOf(Math.max(...found))) result.sameToken++
    }
  })
  const bound = precision === 'float32' ? tolerance * Math.max(1, result.largestLogit) : Number.MAX_VALUE
  if (!(result.largestDifference <= bound)) {
    throw new RuntimeError(`${out}: expected the engine's logits within ${bound.toExponential(1)}, found a difference of ${result.largestDifference}; the file was not kept`)
  }
  return { ...result, sameToken: result.sameToken / result.frames }
}

const cardBeside = (out: string): string => `${out.slice(0, -extname(out).length)}.md`

const exportOnnx = async (ready: ReadyModel, settings: ExportSettings, sourceSha256: string): Promise<Exported> => {
  const { out, precision, format, check } = settings
  const { model, vocabulary, audio } = ready
  if (vocabulary === undefined) throw new UsageError(`${settings.model}: expected a model with a CTC head for an ONNX file, found ${describeHead(headOf(model.config))} (--format safetensors takes any)`)
  const licence = await statedLicence(model.folder.path)
  const metadata = metadataOf(ready, vocabulary, settings, sourceSha256, licence)
  requireOnnxSize(model.parameters.length * (precision === 'float32' ? 4 : 2), out, precision)
  const { pieces, bytes } = encodePieces(wholeFile(model, { precision, normalise: audio.normalise, metadata }))
  requireOnnxSize(bytes, out, precision)
  let agreement: Agreement | null = null
  await writeFileAtomic(out, pieces, check ? { check: async (temporary) => { agreement = await compare(temporary, ready, settings); } } : {})
  const card = cardBeside(out)
  const written = await writeCard(card, onnxCard(model, model.folder, { file: basename(out), precision, sourceSha256, normalise: audio.normalise, opset, licence }))
  return { out, format, precision, bytes, sourceSha256, card: written ? card : null, agreement }
}

const exportFolder = async ({ model }: ReadyModel, { out, precision, format }: ExportSettings, sourceSha256: string): Promise<Exported> => {
  // The weights are others now: the copy says which ones they were.
  const copy = { ...model, config: { ...model.config, cald: { ...model.config.cald, exportedFromSha256: sourceSha256 } } }
  await saveModel(out, copy, model.folder, { precision })
  return { out, format, precision, bytes: (await stat((await locateWeights(out)).file)).size, sourceSha256, card: null, agreement: null }
}

/**
 * Writes a model for others: as one ONNX file with its card (checked against the engine on the CPU before it takes its place), or as a new
 * model folder in the float type asked for. UsageError when the model does not fit the format.
 */
export const exportModel = async (settings: ExportSettings, { signal, onEvent }: JobContext): Promise<Exported> => {
  const { out, format, precision } = settings
  if (format === 'onnx' && extname(out) !== '.onnx') throw new UsageError(`--out: expected a file ending in .onnx, found ${out} (--format safetensors writes a model folder)`)
  if (format === 'safetensors') await requireEmptyFolder(out)
  const ready = await openReadyModel(settings.model, onEvent)
  if (precision === 'float16') requireFloat16(ready.model, '--float16')
  const sourceSha256 = await sha256OfWeights(settings.model)
  if (signal.aborted) throw new InterruptedError('stopped before anything was written')
  return format === 'onnx' ? exportOnnx(ready, settings, sourceSha256) : exportFolder(ready, settings, sourceSha256)
}
