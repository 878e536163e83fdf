import { afterAll, expect, it } from 'vitest'
import { createModel, parseWav2Vec2Config } from '../../models/index.ts'
import { fillNormal } from '../../random.ts'
import { openDevice } from '../../runtime/index.ts'
import { AdamW } from '../optimiser/adamw.ts'
import { gradientNorm } from '../optimiser/clip.ts'
import { HostLearner } from './host.ts'

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

it('steps as plain AdamW does, over stretches and segments of any length, each with its decay and rate', async () => {
  const model = createModel(parseWav2Vec2Config({ model_type: 'wav2vec2', hidden_size: 192, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 400, conv_dim: [8], conv_kernel: [10], conv_stride: [5], num_conv_pos_embeddings: 8, num_conv_pos_embedding_groups: 2, vocab_size: 12 }, 'host'), 1)
  const { size } = model.layout
  const [plain, expected] = [new AdamW(size), model.parameters.slice()]
  const learner = new HostLearner(device, model)
  const segments = [
    { offset: 3, length: 7, weightDecay: 0.3 },
    { offset: 10, length: 2 ** 17, weightDecay: 0.1, learningRateScale: 0.5 },
    { offset: 20 + 2 ** 17, length: size - 2 ** 17 - 21, weightDecay: 0 },
  ]
  for (let update = 1; update <= 3; update++) {
    const gradient = new Float32Array(size)
    // From gradients far below epsilon, whose steps it rules, to large ones.
    fillNormal(gradient, 10 ** (5 - 4 * update), update, 'gradient')
    learner.begin()
    for (const place of model.layout.places) learner.gradient.add(place, gradient.slice(place.offset, place.offset + place.size))
    const step = { learningRate: 0.01, update, gradientScale: 0.7, segments }
    plain.step(expected, gradient, step)
    expect((await learner.gradient.norm()) / gradientNorm([gradient])).toBeCloseTo(1, 6)
    await learner.step(step)
  }
  const worst = (found: Float32Array, wanted: Float32Array): number => found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!) / (1e-3 + Math.abs(wanted[i]!))), 0)
  expect(worst(learner.state.parameters, expected)).toBeLessThan(1e-5)
  expect(worst(learner.state.firstMoment, plain.state.firstMoment)).toBeLessThan(1e-5)
  expect(worst(learner.state.secondMoment, plain.state.secondMoment)).toBeLessThan(1e-5)
  for (const untouched of [0, 2, 10 + 2 ** 17, size - 1]) expect(learner.state.firstMoment[untouched]).toBe(0)
  for (const broken of [NaN, Infinity]) {
    learner.begin()
    for (const place of model.layout.places) learner.gradient.add(place, new Float32Array(place.size).fill(place.size > 1000 ? broken : 1))
    expect(Number.isFinite(await learner.gradient.norm())).toBe(false)
  }
  await learner.dispose()
})
