import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { normaliseAudio } from '../audio/index.ts'
import { RuntimeError, UsageError } from '../errors.ts'
import { Inference, openModel, saveModel } from '../models/index.ts'
import { readMetadata } from '../onnx/testing/readMetadata.ts'
import { openDevice, openOnnxFile } from '../runtime/index.ts'
import { exportModel, requireOnnxSize, type ExportSettings } from './exportModel.ts'

interface InPython {
  input_values: FixtureTensor
  lengths: number[]
  files: {
    model: string
    precision: 'float32' | 'float16'
    onnxruntime: string
    logits: FixtureTensor
    frameLengths: number[]
    metadata: Record<string, string>
    inputs: unknown
    outputs: unknown
  }[]
}

const models = join(import.meta.dirname, '../../fixtures/models')
const [stored] = readFixture<InPython>('onnx_export') as [InPython]
const { input_values: batch, lengths } = stored
const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-export-'))
})
const context = { signal: new AbortController().signal, onEvent: () => undefined }
const settings = (model: string, out: string, more: Partial<ExportSettings> = {}): ExportSettings => ({
  model: join(models, model),
  out: join(folder, out),
  format: 'onnx',
  precision: 'float32',
  check: true,
  threads: 2,
  ...more,
})

/** Largest difference over the valid frames of two [batch, frames, vocabulary] tensors. */
const worst = (a: Float32Array, b: Float32Array, frames: number, frameLengths: readonly number[]): number => {
  const tokens = a.length / frameLengths.length / frames
  let result = 0
  frameLengths.forEach((length, row) => {
    for (let i = row * frames * tokens; i < (row * frames + length) * tokens; i++) result = Math.max(result, Math.abs(a[i]! - b[i]!))
  })
  return result
}

/** The engine's logits for the recordings of the fixture. */
const engineLogits = async (model: string): Promise<Float32Array> => {
  const width = batch.shape[1]!
  const data = new Float32Array(batch.data.length)
  lengths.forEach((length, b) => data.set(normaliseAudio(batch.data.subarray(b * width, b * width + length)), b * width))
  const inference = new Inference(device, await openModel(join(models, model)))
  const { logits } = await inference.run({ data, shape: batch.shape, lengths: Int32Array.from(lengths) })
  await inference.dispose()
  return logits
}

describe('an exported file gives the logits of the engine in onnxruntime-node and in Python', () => {
  for (const { model, precision, logits, frameLengths, metadata, inputs, outputs, onnxruntime } of stored.files) {
    it(`${model}, ${precision}`, async () => {
      const { out, bytes, agreement } = await exportModel(settings(model, `${model}-${precision}.onnx`, { precision }), context)
      const file = await openOnnxFile(out, { threads: 2 })
      const found = await file.run({ input_values: batch, lengths: { shape: [lengths.length], data: BigInt64Array.from(lengths, BigInt) } })
      await file.dispose()
      const written = await readFile(out)
      expect(bytes).toBe(written.length)

      expect([...(found.frame_lengths!.data as BigInt64Array)].map(Number)).toEqual(frameLengths)
      expect(found.logits!.shape).toEqual(logits.shape)
      const frames = logits.shape[1]!
      const own = await engineLogits(model)
      const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      const errors = { node: worst(own, found.logits!.data as Float32Array, frames, frameLengths), python: worst(own, logits.data, frames, frameLengths) }
      console.log(`${model}, ${precision}: ${errors.node.toExponential(1)} in onnxruntime-node, ${errors.python.toExponential(1)} in Python's ${onnxruntime}, of logits up to ${largest.toFixed(1)}`)
      const bound = precision === 'float32' ? 1e-4 : 0.02 * largest
      expect(errors.node).toBeLessThan(bound)
      expect(errors.python).toBeLessThan(bound)
      expect(agreement!.largestDifference).toBeLessThan(bound)

      // What Python read from the file of then is what stands in that of now.
      expect(readMetadata(written)).toEqual(metadata)
      expect(inputs).toEqual([['input_values', 'tensor(float)', ['batch', 'samples']], ['lengths', 'tensor(int64)', ['batch']]])
      expect(outputs).toEqual([['logits', 'tensor(float)', ['batch', 'frames', 8]], ['frame_lengths', 'tensor(int64)', ['batch']]])
    })
  }

  it('says in its metadata what a user needs to know', () => {
    const { metadata } = stored.files.find(({ model, precision }) => model === 'student' && precision === 'float16')!
    expect(metadata).toMatchObject({ model_type: 'cald_wav2vec2_bimamba2', precision: 'float16', sampling_rate: '16000', do_normalize: 'true', blank: '0', word_delimiter: '|', samples_per_frame: '320' })
    expect(JSON.parse(metadata.vocabulary!)).toMatchObject({ '<pad>': 0, A: 5 })
    expect(JSON.parse(metadata.lineage!)).toMatchObject({ guidance: 'target' })
    expect(metadata.source_sha256).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('exportModel', () => {
  it('writes a card beside the file, again when it is its own, and never over that of a person', async () => {
    const to = settings('student', 'carded.onnx', { check: false })
    const card = join(folder, 'carded.md')
    expect((await exportModel(to, context)).card).toBe(card)
    const first = await readFile(card, 'utf8')
    expect(first).toContain("InferenceSession('carded.onnx')")
    expect((await exportModel({ ...to, precision: 'float16' }, context)).card).toBe(card)
    expect(await readFile(card, 'utf8')).not.toBe(first)
    await writeFile(card, first.replace('Bidirectional', 'Our'))
    expect((await exportModel(to, context)).card).toBe(null)
    expect(await readFile(card, 'utf8')).toContain('# Our Mamba2 CTC model')
  })

  it('writes a folder of float16 weights that opens as a model of nearly the same weights', async () => {
    const { out, bytes, sourceSha256 } = await exportModel(settings('student', 'half', { format: 'safetensors', precision: 'float16' }), context)
    const [half, whole] = [await openModel(out), await openModel(join(models, 'student'))]
    whole.parameters.forEach((value, i) => expect(Math.abs(half.parameters[i]! - value)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(value), 2 ** -25)))
    expect(half.parameters).not.toEqual(whole.parameters)
    expect(bytes).toBeLessThan(0.7 * (await readFile(join(models, 'student', 'model.safetensors'))).length)
    expect(half.config.cald).toMatchObject({ exportedFromSha256: sourceSha256 })
    expect((await readdir(out)).sort()).toEqual(['README.md', 'config.json', 'model.safetensors', 'preprocessor_config.json', 'tokenizer_config.json', 'vocab.json'])
    await expect(exportModel(settings('student', 'half', { format: 'safetensors' }), context)).rejects.toThrow('expected an empty or new folder')
  })

  it('does not keep a file whose logits are not those of the engine, nor numbers', async () => {
    const broken = await openModel(join(models, 'student'))
    broken.parameters[broken.layout.places.find(({ name }) => name === 'lm_head.bias')!.offset + 2] = NaN
    await saveModel(join(folder, 'broken'), broken, broken.folder)
    const to = { ...settings('', 'broken.onnx'), model: join(folder, 'broken') }
    await expect(exportModel(to, context)).rejects.toThrow(/broken\.onnx: expected the engine's logits within .*, found a difference of NaN; the file was not kept/)
    await expect(exportModel({ ...to, precision: 'float16' }, context)).rejects.toBeInstanceOf(RuntimeError)
    expect((await readdir(folder)).filter((name) => name.startsWith('broken'))).toEqual(['broken'])
  })

  it('refuses what it cannot write, before it writes', async () => {
    await expect(exportModel(settings('student', 'model.bin'), context)).rejects.toThrow('--out: expected a file ending in .onnx')
    expect(() => requireOnnxSize(2 ** 31, 'x.onnx', 'float32')).toThrow('x.onnx: expected at most 2 GiB, all that one ONNX file can hold, found 2.00 GiB; --float16 needs half of that')
    expect(() => requireOnnxSize(2 ** 32, 'x.onnx', 'float16')).toThrow(UsageError)
    requireOnnxSize(2 ** 31 - 1, 'x.onnx', 'float32')
  })
})
