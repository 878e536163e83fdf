import { afterAll, describe, expect, it } from 'vitest'
import { createModel, parseWav2Vec2Config, viewOf } from '../models/index.ts'
import { float32, openDevice } from '../runtime/index.ts'
import { GradientSum } from './gradientSum.ts'
import { accumulateGradient, normalisersOf, type TrainingBatch } from './objective.ts'
import { recognitionObjective } from './objectives/index.ts'
import { disposePass, forwardPass } from './passes.ts'
import { StageRunner } from './runner.ts'

const device = openDevice('cpu', { threads: 1 })
afterAll(() => device.dispose())

const options = { training: true, timeMask: false, featureMask: false, frontendTrained: false }
const base = { model_type: 'wav2vec2', vocab_size: 6, hidden_size: 12, num_attention_heads: 3, intermediate_size: 16, conv_dim: [8], conv_kernel: [4], conv_stride: [2], num_conv_pos_embeddings: 4, num_conv_pos_embedding_groups: 2, do_stable_layer_norm: true, feat_extract_norm: 'layer', initializer_range: 0.3, hidden_dropout: 0, activation_dropout: 0, attention_dropout: 0, feat_proj_dropout: 0, final_dropout: 0 }
const [frames, lengths] = [9, [9, 6]]
const features = Float32Array.from({ length: 2 * frames * 8 }, (_, i) => Math.sin(1.3 * i))
const batch: TrainingBatch = {
  batch: 2,
  frames,
  lengths: Int32Array.from(lengths),
  audio: undefined,
  features: float32(features, [2, frames, 8]),
  objective: recognitionObjective(0),
  targets: [Int32Array.of(1, 2), Int32Array.of(3)],
  spans: { time: undefined, feature: undefined },
  masks: () => new Uint8Array(),
}

/** Logits, losses of alignment and the gradient by parameter of a model whose layers are those of `layers` in a three-layer one. */
const taught = async (layers: readonly number[], dropped: ReadonlySet<number>) => {
  const three = createModel(parseWav2Vec2Config({ ...base, num_hidden_layers: 3 }, 'test'), 5)
  const model = createModel(parseWav2Vec2Config({ ...base, num_hidden_layers: layers.length }, 'test'), 5)
  const nameIn3 = (name: string): string => name.replace(/encoder\.layers\.(\d+)\./, (_, layer: string) => `encoder.layers.${layers[Number(layer)]!}.`)
  for (const place of model.layout.places) viewOf(model.parameters, place).set(viewOf(three.parameters, three.layout.places.find(({ name }) => name === nameIn3(place.name))!))
  const runner = new StageRunner(device, model, options)
  const uploaded = await device.upload(batch.features!)
  const pass = await forwardPass(device, runner, uploaded, batch, { dropped, keep: Infinity })
  const gradient = new GradientSum(model.layout)
  const teacher = { ...(await forwardPass(device, runner, uploaded, batch)) }
  const { alignment } = await accumulateGradient(runner, pass, { pass: teacher, layerwiseWeight: 1, outputWeight: 0 }, batch, normalisersOf([batch]), gradient, false)
  const unguided = new GradientSum(model.layout)
  await accumulateGradient(runner, pass, undefined, batch, normalisersOf([batch]), unguided, false)
  const { logits } = pass
  disposePass(pass)
  disposePass(teacher)
  await runner.dispose()
  return { logits, alignment, gradients: new Map(model.layout.places.map((place) => [nameIn3(place.name), viewOf(unguided.values, place)])) }
}

describe('a dropped layer', () => {
  it.each([0, 1, 2])('is as if it were not there, forward and backward, and nothing teaches it: layer %i of 3', async (layer) => {
    const dropped = await taught([0, 1, 2], new Set([layer]))
    const without = await taught([0, 1, 2].filter((other) => other !== layer), new Set())
    expect(Math.max(...dropped.logits.map((value, i) => Math.abs(value - without.logits[i]!)))).toBeLessThan(1e-6)
    expect(dropped.alignment[layer]).toBe(0)
    for (const [name, gradient] of dropped.gradients) {
      const expected = without.gradients.get(name)
      if (expected === undefined) expect(gradient.every((value) => value === 0), name).toBe(true)
      else expect(Math.max(...gradient.map((value, i) => Math.abs(value - expected[i]!))), name).toBeLessThan(1e-5)
    }
  })
})
