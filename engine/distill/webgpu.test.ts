import { afterAll, describe, expect, it } from 'vitest'
import { createModel, frameCount, parseWav2Vec2Config, type SpeechModel } from '../models/index.ts'
import { openDevice, type Device } from '../runtime/index.ts'
import { useSwiftShader } from '../runtime/testing/swiftShader.ts'
import { TrialUpdates } from './trial.ts'

const noAdapter = useSwiftShader()
if (noAdapter !== undefined) console.log(`webgpu training is skipped: ${noAdapter}`)

const shape = { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, conv_dim: [8, 8], conv_kernel: [10, 4], conv_stride: [5, 4], num_conv_pos_embeddings: 8, num_conv_pos_embedding_groups: 2, vocab_size: 12 }
const regularisation = { feat_proj_dropout: 0.1, hidden_dropout: 0.1, activation_dropout: 0.1, attention_dropout: 0, mask_time_prob: 0.1, mask_time_length: 4, layerdrop: 0 }
const [batch, samples] = [2, 620]
const teacher = parseWav2Vec2Config({ model_type: 'wav2vec2', ...shape, ...regularisation }, 'teacher')
const student = parseWav2Vec2Config({ model_type: 'cald_wav2vec2_bimamba2', ...shape, ...regularisation, mixer: { kind: 'biMamba2', expand: 1, dState: 8, dConv: 4, headdim: 8, ngroups: 1 } }, 'student')

/** Target guided updates with AdamW; the parameters and losses that they end with, the device's live bytes after each, and the bytes that came back from it in each. */
const train = async (device: Device, updates: number): Promise<{ model: SpeechModel; losses: number[]; liveBytes: number[]; bytesRead: number[] }> => {
  const model = createModel(student, 1)
  const trial = new TrialUpdates(device, { student: model, teacher: createModel(teacher, 2) }, { batch, samples })
  const losses: number[] = []
  const liveBytes: number[] = []
  const bytesRead: number[] = []
  for (let i = 0; i < updates; i++) {
    const before = device.bytesRead
    losses.push((await trial.run()).loss)
    bytesRead.push(device.bytesRead - before)
    liveBytes.push(device.liveBytes)
  }
  await trial.fetch()
  await trial.dispose()
  return { model, losses, liveBytes, bytesRead }
}

describe.skipIf(noAdapter !== undefined)('guided training on webgpu', () => {
  const [cpu, webgpu] = [openDevice('cpu', { threads: 1 }), openDevice('webgpu')]
  afterAll(async () => {
    await cpu.dispose()
    await webgpu.dispose()
  })

  it('goes as on the cpu and holds no more memory after 50 updates than after 5', { timeout: 300_000 }, async () => {
    const [expected, found] = [await train(cpu, 50), await train(webgpu, 50)]
    const distance = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((value, i) => Math.abs(value - b[i]!) / Math.max(1, Math.abs(value))))
    const moved = Math.max(...expected.model.parameters.map((value, i) => Math.abs(value - found.model.parameters[i]!)))
    console.log(`webgpu and cpu: losses differ by ${distance(expected.losses, found.losses).toExponential(1)}, parameters by ${moved.toExponential(1)}; live bytes ${found.liveBytes[4]} after 5 updates, ${found.liveBytes[49]} after 50`)
    expect(distance(expected.losses, found.losses)).toBeLessThan(1e-3)
    // Fifty steps of 1e-5 move a parameter by up to 5e-4.
    expect(moved).toBeLessThan(2e-5)
    expect(found.liveBytes[49]).toBe(found.liveBytes[4])
    expect(found.liveBytes[4]).toBeGreaterThan(0)
    // Logits of teacher and student, an alignment loss a layer, and the norm of the gradient; no parameter, gradient or moment.
    const frames = frameCount(student, samples)
    expect(new Set(found.bytesRead)).toEqual(new Set([4 * (2 * batch * frames * shape.vocab_size + shape.num_hidden_layers + 1)]))
    expect(webgpu.liveBytes).toBe(0)
  })
})
