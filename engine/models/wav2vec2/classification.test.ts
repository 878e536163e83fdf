import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { writeSafetensors, writeFileAtomic } from '../../checkpoint/index.ts'
import { openDevice } from '../../runtime/index.ts'
import { createModel, headOf, Inference, layoutOf, openModel, parseWav2Vec2Config, saveModel, viewOf, withHead, withLineage, type SpeechModel } from '../index.ts'

interface ClassifierCase {
  name: string
  config: Record<string, unknown>
  weights: Record<string, FixtureTensor>
  input_values: FixtureTensor
  lengths: number[]
  masked: boolean
  frameLengths: number[]
  hidden_states: FixtureTensor[]
  logits: FixtureTensor
}

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const modelOf = ({ config: raw, weights }: ClassifierCase): SpeechModel => {
  const config = parseWav2Vec2Config(raw, 'config.json')
  const layout = layoutOf(config)
  const parameters = new Float32Array(layout.size)
  expect(layout.places.map(({ name }) => name).sort()).toEqual(Object.keys(weights).sort())
  for (const place of layout.places) {
    expect(place.shape, place.name).toEqual(weights[place.name]!.shape)
    viewOf(parameters, place).set(weights[place.name]!.data)
  }
  return { config, layout, parameters }
}

/** Largest difference relative to the largest magnitude, over the first `lengths[b]` of each row's steps. */
const worstError = (found: Float32Array, { shape, data }: FixtureTensor, lengths: readonly number[]): number => {
  const [batch, steps, width] = shape as [number, number, number]
  expect(found.length).toBe(data.length)
  let [largest, worst] = [0, 0]
  for (let b = 0; b < batch; b++) {
    for (let i = b * steps * width; i < (b * steps + lengths[b]!) * width; i++) {
      largest = Math.max(largest, Math.abs(data[i]!))
      const difference = Math.abs(found[i]! - data[i]!)
      worst = difference <= worst ? worst : difference
    }
  }
  return worst / largest
}

const cases = readFixture<ClassifierCase>('wav2vec2_classification')

describe('utterance classifiers give the logits and hidden states of HF transformers', () => {
  for (const hf of cases) {
    it(hf.name, async () => {
      const inference = new Inference(device, modelOf(hf), { from: 'audio', hiddenStates: true, groupStatistics: 'hf' })
      const [rows, samples] = hf.input_values.shape as [number, number]
      const lengths = hf.masked ? Int32Array.from(hf.lengths) : new Int32Array(rows).fill(samples)
      const result = await inference.run({ data: hf.input_values.data, shape: hf.input_values.shape, lengths })
      await inference.dispose()
      const [, labels] = hf.logits.shape as [number, number]
      const ofLogits = worstError(result.logits, { ...hf.logits, shape: [rows, 1, labels] }, new Array<number>(rows).fill(1))
      const errors = [ofLogits, ...result.hiddenStates.map((hidden, i) => worstError(hidden, hf.hidden_states[i]!, hf.frameLengths))]
      console.log(`${hf.name}: largest error ${Math.max(...errors).toExponential(1)} of the largest magnitude (logits and ${result.hiddenStates.length} hidden states)`)
      for (const error of errors) expect(error).toBeLessThan(1e-4)
    })
  }
})

describe('heads', () => {
  const files = { preprocessor: { sampling_rate: 16000, do_normalize: true }, vocabulary: undefined, tokenizer: undefined }
  const folder = async (): Promise<string> => join(await mkdtemp(join(tmpdir(), 'head-')), 'model')

  it.each(cases.map((hf) => [hf.name, hf] as const))('are saved and opened: %s', async (_, hf) => {
    const model = withLineage(modelOf(hf), { trainingDataSha256: ['x'] })
    const path = await folder()
    await saveModel(path, model, files)
    const opened = await openModel(path)
    expect(headOf(opened.config)).toEqual(headOf(model.config))
    expect(opened.parameters).toEqual(model.parameters)
    expect(opened.config.cald).toMatchObject({ trainingDataSha256: ['x'] })
  })

  it('are exchanged: the encoder stays, the new head starts anew and is described as HF describes it', () => {
    const direct = modelOf(cases.find(({ name }) => name === 'directPaddedBatch')!)
    const sets = [{ name: 'speaker', labels: ['a', 'b', 'c'] }]
    const model = withHead(direct, { kind: 'projector', sets, projectorSize: 5 }, 1)
    expect(model.config).toMatchObject({ architectures: ['Wav2Vec2ForSequenceClassification'], id2label: { 0: 'a', 1: 'b', 2: 'c' }, label2id: { a: 0, b: 1, c: 2 }, classifier_proj_size: 5 })
    expect(model.config.cald).toEqual({ labels: { speaker: ['a', 'b', 'c'] } })
    for (const place of direct.layout.places.filter(({ name }) => name.startsWith('wav2vec2.'))) {
      expect(viewOf(model.parameters, model.layout.places.find(({ name }) => name === place.name)!), place.name).toEqual(viewOf(direct.parameters, place))
    }
    expect(model.layout.places.filter(({ name }) => !name.startsWith('wav2vec2.')).map(({ name, shape }) => [name, shape])).toEqual([
      ['projector.weight', [5, 12]],
      ['projector.bias', [5]],
      ['classifier.weight', [3, 5]],
      ['classifier.bias', [3]],
    ])
    expect(withHead(model, headOf(model.config), 2)).toBe(model)
  })

  it('may be missing: an encoder alone opens, its tensors named as in Wav2Vec2ForPreTraining or as in Wav2Vec2Model', async () => {
    const { config: raw } = cases[0]!
    const model = createModel(parseWav2Vec2Config({ ...raw, architectures: ['Wav2Vec2Model'] }, 'config.json'), 3)
    const tensors = model.layout.places.map((place) => ({ name: place.name, shape: place.shape, data: viewOf(model.parameters, place) }))
    const bare = tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace('wav2vec2.', '') }))
    const pretrained = [...tensors, { name: 'quantizer.codevectors', shape: [1], data: new Float32Array(1) }]
    for (const [architecture, own] of [['Wav2Vec2Model', bare], ['Wav2Vec2ForPreTraining', pretrained]] as const) {
      const path = await folder()
      await saveModel(path, model, files)
      await writeFileAtomic(join(path, 'config.json'), JSON.stringify({ ...raw, architectures: [architecture] }))
      await writeSafetensors(join(path, 'model.safetensors'), own)
      expect((await openModel(path)).parameters).toEqual(model.parameters)
    }
  })

  const valid = { ...cases[0]!.config, cald: undefined }
  it.each([
    [{ ...valid, use_weighted_layer_sum: true }, 'config.json: use_weighted_layer_sum: expected false'],
    [{ ...valid, problem_type: 'regression' }, 'problem_type: expected single_label_classification, found regression'],
    [{ ...valid, id2label: undefined }, 'id2label: expected the labels of the classifier, found nothing'],
    [{ ...valid, id2label: { 0: 'a', 2: 'b' } }, 'id2label: expected ids from 0 on, found 0, 2'],
    [{ ...valid, id2label: { 0: 'a', 1: 'a' } }, 'expected labels of label, each once, found a, a'],
    [{ ...valid, architectures: ['CaldWav2Vec2ForUtteranceClassification'] }, 'cald.labels: expected the label sets of the head, found none'],
    [{ ...valid, architectures: ['Wav2Vec2ForXVector'] }, 'architectures: expected one of Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification'],
  ])('that cannot be are refused: %#', (config, message) => {
    expect(() => parseWav2Vec2Config(config, 'config.json')).toThrow(message)
  })
})
