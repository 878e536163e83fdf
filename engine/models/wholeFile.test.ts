import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { normaliseAudio } from '../audio/index.ts'
import { dense, evaluateReference, graph, input, variable } from '../ir/index.ts'
import { encodeModel, type Precision } from '../onnx/index.ts'
import { openDevice, openOnnxFile, type OnnxFile } from '../runtime/index.ts'
import { createModel, frameCount, Inference, normaliseWaveform, parseWav2Vec2Config, requireFloat16, studentModelType, wholeFile, type SpeechModel } from './index.ts'
import { tinyGroupNorm, tinyLayerNorm, tinyMixer } from './testing/tiny.ts'

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const layer = { ...tinyLayerNorm, conv_bias: true }
const group = tinyGroupNorm
const student = { model_type: studentModelType, mixer: tinyMixer }
const models: Readonly<Record<string, SpeechModel>> = {
  'teacher, layer norms': createModel(parseWav2Vec2Config({ ...layer, model_type: 'wav2vec2' }, 'config'), 1),
  'teacher, group norm': createModel(parseWav2Vec2Config({ ...group, model_type: 'wav2vec2' }, 'config'), 2),
  'student, layer norms': createModel(parseWav2Vec2Config({ ...layer, ...student }, 'config'), 3),
  'student, group norm': createModel(parseWav2Vec2Config({ ...group, ...student }, 'config'), 4),
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-onnx-'))
})
const open = async (model: SpeechModel, precision: Precision, normalise: boolean): Promise<OnnxFile> => {
  const path = join(folder, `${Math.random()}.onnx`)
  await writeFile(path, encodeModel(wholeFile(model, { precision, normalise, metadata: {} })))
  return openOnnxFile(path, { threads: 2 })
}

/** Recordings far from zero mean and unit variance, in one padded batch with garbage on the padding. */
const recordings = (samples: readonly number[], extra: number, seed: number): { utterances: Float32Array[]; batch: Float32Array; width: number } => {
  const wave = (i: number): number => 0.3 * Math.sin(12.9898 * i + seed) * Math.cos(78.233 * i) + 0.2 * Math.sin(i / 9 + seed) + 0.1
  const width = Math.max(...samples) + extra
  const batch = Float32Array.from({ length: samples.length * width }, (_, i) => wave(i) + (i % width < samples[Math.floor(i / width)]! ? 0 : 5))
  return { utterances: samples.map((length, b) => batch.slice(b * width, b * width + length)), batch, width }
}

/** Largest difference between a file's logits and the engine's, over the frames of each utterance run alone, with the largest magnitude. */
const difference = async (file: OnnxFile, model: SpeechModel, inference: Inference, normalise: boolean, samples: readonly number[], extra: number, seed: number): Promise<{ worst: number; largest: number }> => {
  const { utterances, batch, width } = recordings(samples, extra, seed)
  const outputs = await file.run({
    input_values: { shape: [samples.length, width], data: batch },
    lengths: { shape: [samples.length], data: BigInt64Array.from(samples, BigInt) },
  })
  const frames = samples.map((length) => frameCount(model.config, length))
  expect([...(outputs.frame_lengths!.data as BigInt64Array)].map(Number)).toEqual(frames)
  expect(outputs.logits!.shape).toEqual([samples.length, frameCount(model.config, width), 7])
  let [worst, largest] = [0, 0]
  for (const [b, utterance] of utterances.entries()) {
    const data = normalise ? normaliseAudio(utterance) : utterance
    const own = await inference.run({ data, shape: [1, data.length], lengths: Int32Array.of(data.length) })
    const row = outputs.logits!.data.subarray(b * outputs.logits!.shape[1]! * 7) as Float32Array
    own.logits.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - row[i]!))
      largest = Math.max(largest, Math.abs(value))
    })
  }
  return { worst, largest }
}

describe('a model in one file gives the logits of the engine, whatever the batch', () => {
  const lengths = fc.array(fc.integer({ min: 10 + 3 * 5, max: 2600 }), { minLength: 1, maxLength: 4 })
  for (const [name, model] of Object.entries(models)) {
    for (const normalise of [true, false]) {
      it(`${name}, ${normalise ? '' : 'not '}normalising`, async () => {
        const [file, inference] = [await open(model, 'float32', normalise), new Inference(device, model)]
        expect([file.inputs, file.outputs]).toEqual([['input_values', 'lengths'], ['logits', 'frame_lengths']])
        await fc.assert(
          fc.asyncProperty(lengths, fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 1000 }), async (samples, extra, seed) => {
            const { worst, largest } = await difference(file, model, inference, normalise, samples, extra, seed)
            expect(worst).toBeLessThan(3e-5 * Math.max(1, largest))
          }),
          { numRuns: 12 },
        )
        await Promise.all([file.dispose(), inference.dispose()])
      })
    }
    it(`${name}, in float16`, async () => {
      const [file, inference] = [await open(model, 'float16', true), new Inference(device, model)]
      const { worst, largest } = await difference(file, model, inference, true, [2600, 1300, 25, 700], 40, 3)
      console.log(`${name}, float16: largest difference ${worst.toExponential(1)} of logits up to ${largest.toFixed(2)}`)
      // The eleven bits of a float16 are 5e-4; two layers multiply them.
      expect(worst).toBeLessThan(2e-2 * largest)
      expect(worst).toBeGreaterThan(0)
      await Promise.all([file.dispose(), inference.dispose()])
    })
  }

  it('multiplies matrices in float16, and sums, divides, exponentiates and recurs in float32', () => {
    const { nodes, constants } = wholeFile(models['student, group norm']!, { precision: 'float16', normalise: true, metadata: {} })
    const types = new Map([['input_values', 'float32'], ...constants.map(({ name, type }) => [name, type] as const)])
    const seen = new Map<string, Set<string>>()
    for (const { type, inputs, outputs, attributes } of nodes) {
      const floats = new Set(inputs.map((name) => types.get(name)).filter((found) => found === 'float32' || found === 'float16'))
      expect(floats.size, `${type} ${outputs[0]}`).toBeLessThan(2)
      const [own] = floats
      const to = 'to' in attributes && 'int' in attributes.to ? { 1: 'float32', 10: 'float16' }[attributes.to.int] : undefined
      const result = type === 'Cast' ? to : type === 'Shape' || type === 'Less' ? undefined : own
      if (result !== undefined) for (const name of outputs) types.set(name, result)
      if (own !== undefined && type !== 'Cast') seen.set(type, (seen.get(type) ?? new Set()).add(own))
    }
    for (const type of ['MatMul', 'Conv', 'Gelu', 'LayerNormalization', 'CausalConvWithState']) expect([...(seen.get(type) ?? [])], type).toEqual(['float16'])
    for (const type of ['ReduceSum', 'Div', 'Sqrt', 'Reciprocal', 'Exp', 'Softplus', 'LinearAttention', 'Identity']) expect([...(seen.get(type) ?? [])], type).toEqual(['float32'])
  })

  it('takes a length past the end for the whole row', async () => {
    const file = await open(models['student, layer norms']!, 'float32', true)
    const { batch, width } = recordings([400], 0, 1)
    const run = (length: bigint) => file.run({ input_values: { shape: [1, width], data: batch }, lengths: { shape: [1], data: BigInt64Array.of(length) } })
    expect((await run(4000n)).logits!.data).toEqual((await run(400n)).logits!.data)
    await file.dispose()
  })

  it('keeps the weights of a float16 file in half the bytes', () => {
    const model = createModel(parseWav2Vec2Config({ ...layer, ...student, hidden_size: 256, intermediate_size: 1024 }, 'config'), 3)
    const bytes = (precision: Precision): number => encodeModel(wholeFile(model, { precision, normalise: true, metadata: {} })).length
    expect(bytes('float16') / bytes('float32')).toBeLessThan(0.52)
  })

  it('refuses float16 for a weight beyond it', () => {
    const { config, layout, parameters } = models['student, layer norms']!
    const model = { config, layout, parameters: parameters.slice() }
    requireFloat16(model, '--float16')
    model.parameters[layout.places.find(({ name }) => name === 'lm_head.weight')!.offset] = -70000
    expect(() => requireFloat16(model, '--float16')).toThrow('--float16: expected weights of magnitudes up to 65504, found -70000 in lm_head.weight')
  })
})

describe('normaliseWaveform', () => {
  it('is the normalisation of recordings, by utterance, and leaves what is normalised as it is', () => {
    const [batch, samples] = [variable('batch'), variable('samples')]
    const built = graph('normalise', { y: normaliseWaveform(input('x', [batch, samples]), input('valid', [batch, samples], 'bool')) })
    const lengths = [2500, 1024, 3]
    const { utterances, batch: data, width } = recordings(lengths, 7, 5)
    const valid = Float64Array.from(data, (_, i) => Number(i % width < lengths[Math.floor(i / width)]!))
    const run = (x: ArrayLike<number>): Float64Array => evaluateReference(built, { x: dense([3, width], x), valid: dense([3, width], valid) }).y!.data
    const once = run(data)
    const again = run(once)
    utterances.forEach((utterance, b) => {
      const expected = normaliseAudio(utterance)
      for (let t = 0; t < width; t++) {
        expect(once[b * width + t]).toBeCloseTo(expected[t] ?? 0, 6)
        expect(again[b * width + t]).toBeCloseTo(expected[t] ?? 0, 4)
      }
    })
  })
})
