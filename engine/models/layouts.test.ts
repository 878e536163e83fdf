import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { CheckpointError } from '../errors.ts'
import { openDevice } from '../runtime/index.ts'
import { headOf, Inference, openModel, saveModel, viewOf, withHead } from './index.ts'

interface LayoutCase {
  name: string
  files: Record<string, FixtureTensor<Uint8Array<ArrayBuffer>>>
  leftOut: string[]
  input_values: FixtureTensor
  /** After the final layer norm, where there is one. */
  lastHiddenState: FixtureTensor
  /** Absent for a body without a head, or with one that is not known here. */
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

const worstError = (found: Float32Array, { data }: FixtureTensor): number => {
  expect(found.length).toBe(data.length)
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[i]!)), 0) / largest
}

const cases = readFixture<LayoutCase>('model_layouts')

describe('checkpoints as hubs and trainers leave them give what HF transformers gives', () => {
  it.each(cases)('$name', async (layout) => {
    const { input_values, lastHiddenState, logits, leftOut, name } = layout
    const model = await openModel(await unpacked(layout))
    expect(headOf(model.config).kind).toBe(logits === undefined ? 'none' : 'ctc')
    expect(model.leftOut).toEqual(leftOut)
    if (logits !== undefined) expect(model.config.vocab_size).toBe(logits.shape[2])
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

  it('opens a body without a head as an encoder alone, which a new head fits and leaves as it is', async () => {
    const place = await unpacked(body)
    const model = await openModel(place)
    expect(model.config.architectures).toEqual(['Wav2Vec2Model'])
    expect(model.layout.places.filter(({ name }) => !name.startsWith('wav2vec2.'))).toEqual([])
    const headed = withHead({ ...model, config: { ...model.config, vocab_size: 5, pad_token_id: 2 } }, { kind: 'ctc' }, 7)
    const [weight, bias] = ['lm_head.weight', 'lm_head.bias'].map((name) => viewOf(headed.parameters, headed.layout.places.find((parameter) => parameter.name === name)!))
    expect(weight!.some((value) => value !== 0)).toBe(true)
    expect([...bias!]).toEqual([0, 0, 0, 0, 0])
    await saveModel(`${place}-saved`, headed, model.folder)
    const saved = await openModel(`${place}-saved`)
    expect(saved.config).toMatchObject({ vocab_size: 5, pad_token_id: 2, architectures: ['Wav2Vec2ForCTC'] })
    expect(saved.parameters).toEqual(headed.parameters)
    expect(saved.notes).toEqual([])
  })

  it('takes the word of the tensors for whether there is a CTC head, and keeps the encoder under a head that is not known here', async () => {
    const ctc = named('newer weight-norm names in a .bin')
    const opened = async (layout: LayoutCase, architectures: string[]) => {
      const place = await unpacked(layout)
      const config = JSON.parse(new TextDecoder().decode(layout.files['config.json']!.data)) as Record<string, unknown>
      await writeFile(join(place, 'config.json'), JSON.stringify({ ...config, architectures }))
      return openModel(place)
    }
    expect((await opened(ctc, ['Wav2Vec2ForPreTraining'])).config.architectures).toEqual(['Wav2Vec2ForCTC'])
    expect((await opened(ctc, ['MyRecogniser'])).config.architectures).toEqual(['Wav2Vec2ForCTC'])
    const { config, notes } = await opened(body, ['Wav2Vec2ForXVector'])
    expect(config.architectures).toEqual(['Wav2Vec2Model'])
    expect(notes[0]).toContain('opened as an encoder alone: architectures: expected one of Wav2Vec2ForCTC')
    expect((await openModel(await unpacked(named('sequence classification')))).notes[0]).toContain('opened as an encoder alone: use_weighted_layer_sum: expected false')
    await expect(opened(body, ['Wav2Vec2ForSequenceClassification'])).rejects.toThrow('id2label: expected the labels of the classifier')
  })

  it('says what it leaves out', async () => {
    const place = await unpacked(named('large-lv60, pretrained'))
    const { notes } = await openModel(place)
    expect(notes).toContain(`${place}: left out what a model with no head has no place for: project_hid, project_q, quantizer`)
  })

  it('opens a weights file by its path, and names one that its index promises and that is not there', async () => {
    const place = await unpacked(named('newer weight-norm names in a .bin'))
    expect((await openModel(join(place, 'pytorch_model.bin'))).parameters).toEqual((await openModel(place)).parameters)
    const { 'pytorch_model-00002-of-00002.bin': second, ...rest } = body.files
    expect(second).toBeDefined()
    await expect(openModel(await unpacked({ ...body, files: rest }))).rejects.toThrow('pytorch_model-00002-of-00002.bin: expected a weights file, found no such file or directory')
  })

  it('refuses an index that leads out of its folder, and one that does not know what a shard holds', async () => {
    const index = 'pytorch_model.bin.index.json'
    const text = new TextDecoder().decode(body.files[index]!.data)
    const withIndex = async (changed: string): Promise<string> => {
      const place = await unpacked(body)
      await writeFile(join(place, index), changed)
      return place
    }
    await expect(openModel(await withIndex(text.replace('pytorch_model-00001', '../pytorch_model-00001')))).rejects.toThrow('expected the name of a file in the same folder')
    await expect(openModel(await withIndex(text.replace(/"masked_spec_embed": "[^"]*",\s*/, '')))).rejects.toThrow('found masked_spec_embed')
    await expect(openModel(await withIndex(text.replace('"masked_spec_embed"', '"masked_spec_embedding"')))).rejects.toBeInstanceOf(CheckpointError)
  })
})
