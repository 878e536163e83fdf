import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { openDevice } from '../runtime/index.ts'
import { createModel, Inference, parseWav2Vec2Config, studentModelType, type SpeechModel } from './index.ts'
import { tinyGroupNorm, tinyLayerNorm, tinyMixer } from './testing/tiny.ts'

const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const models: Readonly<Record<string, SpeechModel>> = {
  'group-norm frontend, post-norm attention': createModel(parseWav2Vec2Config({ ...tinyGroupNorm, model_type: 'wav2vec2' }, 'config'), 4),
  'layer-norm frontend, attention': createModel(parseWav2Vec2Config({ ...tinyLayerNorm, model_type: 'wav2vec2' }, 'config'), 1),
  'layer-norm frontend, bidirectional Mamba2': createModel(
    parseWav2Vec2Config({ ...tinyLayerNorm, model_type: studentModelType, mixer: tinyMixer }, 'config'),
    2,
  ),
}

describe('an utterance gives the same logits and hidden states alone as in any padded batch', () => {
  const shortest = 10 + 3 * 5
  const lengths = fc.array(fc.integer({ min: shortest, max: 600 }), { minLength: 1, maxLength: 4 })

  for (const [name, model] of Object.entries(models)) {
    it(name, async () => {
      const inference = new Inference(device, model, { from: 'audio', hiddenStates: true })
      await fc.assert(
        fc.asyncProperty(lengths, fc.integer({ min: 0, max: 90 }), fc.integer(), fc.boolean(), async (samples, extra, seed, garbage) => {
          const width = Math.max(...samples) + extra
          // Chaotic enough to differ between rows and cheap enough to shrink.
          const noise = (i: number): number => Math.sin(12.9898 * i + seed) * Math.cos(78.233 * i)
          const data = Float32Array.from({ length: samples.length * width }, (_, i) => (garbage || i % width < samples[Math.floor(i / width)]! ? noise(i) : 0))
          const together = await inference.run({ data, shape: [samples.length, width], lengths: Int32Array.from(samples) })
          for (const [b, length] of samples.entries()) {
            const alone = await inference.run({ data: data.slice(b * width, b * width + length), shape: [1, length], lengths: Int32Array.of(length) })
            expect(together.lengths[b]).toBe(alone.frames)
            const pairs = [[together.logits, alone.logits], ...alone.hiddenStates.map((own, i) => [together.hiddenStates[i]!, own])] as [Float32Array, Float32Array][]
            for (const [batch, own] of pairs) {
              const channels = own.length / alone.frames
              const row = batch.subarray(b * together.frames * channels)
              const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6)
              const difference = own.reduce((most, value, i) => Math.max(most, Math.abs(value - row[i]!)), 0)
              expect(difference / largest).toBeLessThan(2e-5)
            }
          }
        }),
        { numRuns: 40 },
      )
      await inference.dispose()
    })
  }
})
