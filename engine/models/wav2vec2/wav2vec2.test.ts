import { afterAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { openDevice } from '../../runtime/index.ts'
import { Inference, layoutOf, parseWav2Vec2Config, viewOf, type SpeechModel } from '../index.ts'

interface HfCase {
  name: string
  config: Record<string, unknown>
  weights: Record<string, FixtureTensor>
  input_values: FixtureTensor
  lengths: number[]
  /** Without an attention mask HF takes every frame, zeros included, for speech. */
  masked: boolean
  frameLengths: number[]
  hidden_states: FixtureTensor[]
  logits: FixtureTensor
}

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const modelOf = ({ config: raw, weights }: HfCase): SpeechModel => {
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

/** Largest difference over valid frames, relative to the largest magnitude there. */
const worstError = (found: Float32Array, { shape, data }: FixtureTensor, lengths: readonly number[]): number => {
  const [batch, frames, width] = shape as [number, number, number]
  expect(found.length).toBe(data.length)
  let largest = 0
  let worst = 0
  for (let b = 0; b < batch; b++) {
    for (let i = b * frames * width; i < (b * frames + lengths[b]!) * width; i++) {
      largest = Math.max(largest, Math.abs(data[i]!))
      const difference = Math.abs(found[i]! - data[i]!)
      worst = difference <= worst ? worst : difference
    }
  }
  return worst / largest
}

describe('Wav2Vec2ForCTC gives the logits and hidden states of HF transformers', () => {
  const cases = readFixture<HfCase>('wav2vec2_ctc')

  it('covers single utterances, padded batches, convolutions with and without bias, and every mixture of norms', () => {
    expect(cases.some(({ lengths }) => lengths.length > 1 && new Set(lengths).size > 1)).toBe(true)
    expect(new Set(cases.map(({ config }) => config.conv_bias))).toEqual(new Set([true, false]))
    expect(new Set(cases.map(({ config }) => `${String(config.feat_extract_norm)} ${String(config.do_stable_layer_norm)}`)).size).toBe(4)
  })

  for (const hf of cases) {
    it(hf.name, async () => {
      const inference = new Inference(device, modelOf(hf), { from: 'audio', hiddenStates: true, groupStatistics: 'hf' })
      const [rows, samples] = hf.input_values.shape as [number, number]
      const lengths = hf.masked ? Int32Array.from(hf.lengths) : new Int32Array(rows).fill(samples)
      const result = await inference.run({ data: hf.input_values.data, shape: hf.input_values.shape, lengths })
      await inference.dispose()
      if (hf.masked) expect([...result.lengths]).toEqual(hf.frameLengths)
      expect(result.hiddenStates.length).toBe(hf.hidden_states.length)
      const errors = [worstError(result.logits, hf.logits, hf.frameLengths), ...result.hiddenStates.map((hidden, i) => worstError(hidden, hf.hidden_states[i]!, hf.frameLengths))]
      console.log(`${hf.name}: largest error ${Math.max(...errors).toExponential(1)} of the largest magnitude (logits and ${result.hiddenStates.length} hidden states)`)
      for (const error of errors) expect(error).toBeLessThan(1e-4)
    })
  }
})

describe('parseWav2Vec2Config', () => {
  const valid = { model_type: 'wav2vec2', feat_extract_norm: 'layer', do_stable_layer_norm: true }
  it.each([
    [{ ...valid, model_type: 'whisper' }, "config.json: model_type: expected 'wav2vec2' or 'cald_wav2vec2_bimamba2', found \"whisper\""],
    [{ ...valid, feat_extract_norm: 'batch' }, "config.json: feat_extract_norm: expected 'group' or 'layer', found \"batch\""],
    [{ ...valid, conv_kernel: [10, 3] }, 'expected conv_dim, conv_kernel and conv_stride of one length, found 7, 2 and 7'],
    [{ ...valid, num_attention_heads: 5 }, 'expected num_attention_heads to divide hidden_size 768, found 5'],
    [{ ...valid, model_type: 'cald_wav2vec2_bimamba2' }, 'expected mixer in a config of model_type cald_wav2vec2_bimamba2, found none'],
  ])('refuses %j', (config, message) => {
    expect(() => parseWav2Vec2Config(config, 'config.json')).toThrow(message)
  })
})
