import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { CheckpointError } from '../errors.ts'
import { openDevice } from '../runtime/index.ts'
import { Inference, openModel, saveModel, viewOf, type ModelFiles, type NewHead } from './index.ts'

interface LayoutCase {
  name: string
  files: Record<string, FixtureTensor<Uint8Array<ArrayBuffer>>>
  leftOut: string[]
  input_values: FixtureTensor
  /** After the final layer norm, where there is one. */
  lastHiddenState: FixtureTensor
  /** Absent for a body without a CTC head. */
  logits?: FixtureTensor
}

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-layouts-'))
})
let copies = 0
const unpacked = async ({ files }: LayoutCase): Promise<string> => {
  const place = join(folder, String(++copies))
  await mkdir(place)
  for (const [name, { data }] of Object.entries(files)) await writeFile(join(place, name), data)
  return place
}

const newHead = ({ vocabulary, tokenizer }: ModelFiles): Promise<NewHead> => Promise.resolve({ vocabSize: 5, padTokenId: 2, seed: 7, vocabulary, tokenizer })

const worstError = (found: Float32Array, { data }: FixtureTensor): number => {
  expect(found.length).toBe(data.length)
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[i]!)), 0) / largest
}

const cases = readFixture<LayoutCase>('model_layouts')

describe('checkpoints as hubs and trainers leave them give what HF transformers gives', () => {
  it.each(cases)('$name', async (layout) => {
    const { input_values, lastHiddenState, logits, leftOut, name } = layout
    const model = await openModel(await unpacked(layout), { newHead })
    expect(model.newHead).toBe(logits === undefined)
    expect(model.leftOut).toEqual(leftOut)
    expect(model.config.vocab_size).toBe(logits?.shape[2] ?? 5)
    const inference = new Inference(device, model, { from: 'audio', hiddenStates: true })
    const result = await inference.run({ data: input_values.data, shape: input_values.shape, lengths: Int32Array.of(input_values.shape[1]!) })
    await inference.dispose()
    const errors = [worstError(result.hiddenStates.at(-1)!, lastHiddenState), ...(logits === undefined ? [] : [worstError(result.logits, logits)])]
    console.log(`${name}: largest error ${Math.max(...errors).toExponential(1)} of the largest magnitude`)
    for (const error of errors) expect(error).toBeLessThan(1e-4)
  })

  it('covers every format, prefix and naming', () => {
    const files = new Set(cases.flatMap((layout) => Object.keys(layout.files)))
    for (const file of ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json', 'hparams.json']) expect(files).toContain(file)
  })
})

describe('openModel', () => {
  const named = (name: string): LayoutCase => cases.find((layout) => layout.name === name)!
  const body = named('bare body in a sharded .bin')

  it('refuses a body without a head when nobody makes one, and says so when somebody does', async () => {
    const place = await unpacked(body)
    await expect(openModel(place)).rejects.toThrow('expected a CTC head (lm_head.weight), found a body without one')
    const model = await openModel(place, { newHead })
    expect(model.notes).toEqual([`${place}: the checkpoint has no CTC head; a new one of 5 outputs begins at random weights (seed 7)`])
    expect(model.config).toMatchObject({ vocab_size: 5, pad_token_id: 2, architectures: ['Wav2Vec2ForCTC'] })
    const [weight, bias] = ['lm_head.weight', 'lm_head.bias'].map((name) => viewOf(model.parameters, model.layout.places.find((parameter) => parameter.name === name)!))
    expect(weight!.some((value) => value !== 0)).toBe(true)
    expect([...bias!]).toEqual([0, 0, 0, 0, 0])
    await saveModel(`${place}-saved`, model, model.folder)
    const saved = await openModel(`${place}-saved`)
    expect(saved.newHead).toBe(false)
    expect(saved.parameters).toEqual(model.parameters)
  })

  it('says what it leaves out', async () => {
    const place = await unpacked(named('large-lv60, pretrained'))
    const { notes } = await openModel(place, { newHead })
    expect(notes).toContain(`${place}: left out what a CTC model has no place for: project_hid, project_q, quantizer`)
  })

  it('opens a weights file by its path, and names one that its index promises and that is not there', async () => {
    const place = await unpacked(named('newer weight-norm names in a .bin'))
    expect((await openModel(join(place, 'pytorch_model.bin'))).parameters).toEqual((await openModel(place)).parameters)
    const { 'pytorch_model-00002-of-00002.bin': second, ...rest } = body.files
    expect(second).toBeDefined()
    await expect(openModel(await unpacked({ ...body, files: rest }), { newHead })).rejects.toThrow('pytorch_model-00002-of-00002.bin: expected a weights file, found ENOENT')
  })

  it('refuses an index that leads out of its folder, and one that does not know what a shard holds', async () => {
    const index = 'pytorch_model.bin.index.json'
    const text = new TextDecoder().decode(body.files[index]!.data)
    const withIndex = async (changed: string): Promise<string> => {
      const place = await unpacked(body)
      await writeFile(join(place, index), changed)
      return place
    }
    await expect(openModel(await withIndex(text.replace('pytorch_model-00001', '../pytorch_model-00001')), { newHead })).rejects.toThrow('expected the name of a file in the same folder')
    await expect(openModel(await withIndex(text.replace(/"masked_spec_embed": "[^"]*",\s*/, '')), { newHead })).rejects.toThrow('found masked_spec_embed')
    await expect(openModel(await withIndex(text.replace('"masked_spec_embed"', '"masked_spec_embedding"')), { newHead })).rejects.toBeInstanceOf(CheckpointError)
  })
})
