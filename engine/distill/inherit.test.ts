import { afterAll, describe, expect, it } from 'vitest'
import { parseWav2Vec2Config, createModel, viewOf, type SpeechModel } from '../models/index.ts'
import { float32, openDevice } from '../runtime/index.ts'
import { GradientSum } from './gradientSum.ts'
import { horizon, inheritedMixer, mixerShare, setMixerShare } from './inherit.ts'
import { StageRunner, type BatchContext } from './runner.ts'
import { studentFrom } from './transfer.ts'

const device = openDevice('cpu', { threads: 1 })
afterAll(() => device.dispose())

const config = parseWav2Vec2Config(
  { model_type: 'wav2vec2', vocab_size: 8, hidden_size: 12, num_hidden_layers: 2, num_attention_heads: 3, intermediate_size: 16, conv_dim: [8], conv_kernel: [4], conv_stride: [2], num_conv_pos_embeddings: 4, num_conv_pos_embedding_groups: 2, do_stable_layer_norm: true, feat_extract_norm: 'layer', initializer_range: 0.3 },
  'test',
)
const [width, heads, frames, valid] = [12, 3, 7, [7, 5]]
const size = width / heads

const startModel = (): SpeechModel => {
  const model = createModel(config, 3)
  // Biases start at zero, where nothing would be told of them; so does nothing of the output projection's, which the mixer has no place for.
  for (const place of model.layout.places) if (/[qkv]_proj\.bias$/.test(place.name)) viewOf(model.parameters, place).forEach((_, i, all) => (all[i] = Math.sin(i + place.offset)))
  return model
}

const context = (): BatchContext => ({ batch: 2, frames, lengths: Int32Array.from(valid), spans: { time: undefined, feature: undefined }, masks: () => new Uint8Array() })
const stages = { training: false, timeMask: false, featureMask: false, frontendTrained: false }
const x = Float32Array.from({ length: 2 * frames * width }, (_, i) => Math.sin(1.7 * i) + 0.3 * Math.cos(0.31 * i))

/** The linear attention that an inherited mixer starts as, sum by sum. */
const slowly = (start: SpeechModel, layer: number): number[][][] => {
  const parameter = (name: string): Float32Array => viewOf(start.parameters, start.layout.places.find((place) => place.name === `wav2vec2.encoder.layers.${layer}.${name}`)!)
  const project = (row: readonly number[], name: string, bias: boolean): number[] =>
    Array.from({ length: width }, (_, o) => row.reduce((total, value, i) => total + value * parameter(`attention.${name}.weight`)[o * width + i]!, bias ? parameter(`attention.${name}.bias`)[o]! : 0))
  return valid.map((length, b) => {
    const rows = Array.from({ length }, (_, t) => {
      const row = [...x.subarray((b * frames + t) * width, (b * frames + t + 1) * width)]
      const mean = row.reduce((a, c) => a + c, 0) / width
      const deviation = Math.sqrt(row.reduce((a, c) => a + (c - mean) ** 2, 0) / width + config.layer_norm_eps)
      return row.map((value) => (value - mean) / deviation)
    })
    const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) => rows.map((row) => project(row, name, true))) as [number[][], number[][], number[][]]
    return rows.map((_, t) => {
      const mixed = new Array<number>(width).fill(0)
      for (let h = 0; h < heads; h++) {
        for (let u = 0; u < length; u++) {
          let score = 0
          for (let i = h * size; i < (h + 1) * size; i++) score += (q[t]![i]! * k[u]![i]!) / Math.sqrt(size)
          // Both directions see the frame itself.
          const weight = ((t === u ? 2 : 1) / 2) * (Math.exp(-Math.abs(t - u) / horizon) / horizon) * score
          for (let i = h * size; i < (h + 1) * size; i++) mixed[i]! += weight * v[u]![i]!
        }
      }
      return project(mixed, 'out_proj', false)
    })
  })
}

describe('an inherited mixer', () => {
  it('starts as the linear attention of its formula, in every layer, on padded batches', async () => {
    const start = startModel()
    const runner = new StageRunner(device, studentFrom(start, 'inherited', 1), stages)
    for (const layer of [0, 1]) {
      const input = await device.upload(float32(x, [2, frames, width]))
      const data = [...(await device.read(await runner.mixer(layer, input, context()))).data]
      const largest = Math.max(...data.map(Math.abs))
      expect(largest).toBeGreaterThan(0.01)
      slowly(start, layer).forEach((rows, b) =>
        rows.forEach((row, t) => row.forEach((value, i) => expect(Math.abs(data[(b * frames + t) * width + i]! - value)).toBeLessThan(1e-5 * Math.max(1, largest)))),
      )
    }
    await runner.dispose()
  })
})

describe('a mixer that is switched on', () => {
  const outputs = async (student: SpeechModel): Promise<number[]> => {
    const runner = new StageRunner(device, student, stages)
    const data = [...(await device.read(await runner.mixer(1, await device.upload(float32(x, [2, frames, width])), context()))).data]
    await runner.dispose()
    return data
  }
  const largestDifference = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

  it('is the inherited one at a share of 0 and Mamba2’s at 1, and goes from the one to the other', async () => {
    const start = startModel()
    const switched = studentFrom(start, 'inherited', 1, { switched: true })
    expect(largestDifference(await outputs(switched), await outputs(studentFrom(start, 'inherited', 1)))).toBeLessThan(1e-6)

    const mamba2 = studentFrom(start, { ...inheritedMixer(config, true), blend: false }, 1)
    for (const place of mamba2.layout.places) viewOf(mamba2.parameters, place).set(viewOf(switched.parameters, switched.layout.places.find(({ name }) => name === place.name)!))
    const goal = await outputs(mamba2)
    const distances: number[] = []
    for (const share of [0, 0.01, 0.99, 1]) {
      setMixerShare(switched, switched.parameters, share)
      distances.push(largestDifference(await outputs(switched), goal))
    }
    expect(distances[0]).toBeGreaterThan(0.1)
    expect(distances[1]).not.toBe(distances[0])
    expect(distances[2]).toBeLessThan(0.2 * distances[0]!)
    expect(distances[3]).toBeLessThan(1e-6)
  })

  it('rises evenly, from the update after those before it', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map((update) => mixerShare({ after: 2, over: 4 }, update))).toEqual([0, 0, 0.25, 0.5, 0.75, 1, 1])
  })
})

describe('a mixer alone', () => {
  it.each([
    ['of random weights', 'random', 1e-2, 0],
    // The norm of its small values bends more, and a small step has more rounding in it.
    ['switched on by half', 'switched', 1e-3, 2e-2],
  ])('has the share it misses of the attention, and its gradient by finite differences, for every parameter: %s', async (_, kind, step, tolerance) => {
    const start = startModel()
    const student = kind === 'random' ? studentFrom(start, { expand: 1, dState: 4, dConv: 4, headdim: 4, ngroups: 1 }, 1) : studentFrom(start, 'inherited', 1, { switched: true })
    setMixerShare(student, student.parameters, 0.5)
    const [teacher, runner] = [new StageRunner(device, start, stages), new StageRunner(device, student, stages)]
    const input = await device.upload(float32(x, [2, frames, width]))
    const attention = await teacher.mixer(1, input, context())
    const weight = Float32Array.from({ length: 2 * frames }, (_, i) => Number(i % frames < valid[Math.floor(i / frames)]!))
    const gradient = new GradientSum(student.layout)
    const share = async (into = new GradientSum(student.layout)): Promise<number> => runner.mixerBackward(1, input, { teacher: attention, weight }, context(), into)
    const missed = await share(gradient)

    const [target, mixed] = [(await device.read(attention)).data, (await device.read(await runner.mixer(1, input, context()))).data]
    let [error, whole] = [0, 0]
    target.forEach((value, i) => {
      const counts = weight[Math.floor(i / width)]!
      error += counts * (value - mixed[i]!) ** 2
      whole += counts * value ** 2
    })
    expect(missed).toBeCloseTo(error / whole, 5)

    let compared = 0
    for (const place of student.layout.stage('layers.1').filter(({ local, trained }) => local.startsWith('attention.') && trained)) {
      const values = viewOf(student.parameters, place)
      for (const i of [0, Math.floor(values.length / 2)]) {
        const before = values[i]!
        values[i] = before + step
        const above = await share()
        values[i] = before - step
        const below = await share()
        values[i] = before
        const expected = (above - below) / (2 * step)
        expect(Math.abs(viewOf(gradient.values, place)[i]! - expected), `${place.name}[${i}], ${expected}`).toBeLessThan(5e-3 + tolerance * Math.abs(expected))
        compared++
      }
    }
    expect(compared).toBe(2 * 2 * 8)
    await teacher.dispose()
    await runner.dispose()
  })
})
