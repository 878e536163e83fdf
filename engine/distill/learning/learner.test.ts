import { afterAll, describe, expect, it } from 'vitest'
import { createModel, parseWav2Vec2Config, type SpeechModel } from '../../models/index.ts'
import { fillNormal } from '../../random.ts'
import { float32, openDevice, type Device } from '../../runtime/index.ts'
import { useSwiftShader } from '../../runtime/testing/swiftShader.ts'
import type { AdamWSegment } from '../optimiser/adamw.ts'
import { clipScale } from '../optimiser/clip.ts'
import { mixerSegments } from '../mixerPhase.ts'
import { segmentsOf } from '../optimiser/fromSettings.ts'
import { DeviceLearner } from './device.ts'
import { HostLearner } from './host.ts'
import type { Learner } from './learner.ts'
import { packedRows, packedWidth, stageView } from './packing.ts'

const noAdapter = useSwiftShader()

const shape = { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, conv_dim: [8, 8], conv_kernel: [10, 4], conv_stride: [5, 4], num_conv_pos_embeddings: 8, num_conv_pos_embedding_groups: 2, vocab_size: 12 }
const mixer = { kind: 'biMamba2', expand: 1, dState: 8, dConv: 4, headdim: 8, ngroups: 1, blend: true }
const config = parseWav2Vec2Config({ model_type: 'cald_wav2vec2_bimamba2', ...shape, mixer }, 'learner')

const stagesOf = ({ layout }: SpeechModel): string[] => [...new Set(layout.places.map(({ stage }) => stage))]

/** Adds a random gradient: as a program of one way of learning gives it, and of the other. */
const teach = async (device: Device, model: SpeechModel, learner: Learner, seed: number, scale: number): Promise<void> => {
  const values = new Float32Array(model.layout.size)
  fillNormal(values, scale, seed, 'gradient')
  for (const stage of stagesOf(model)) {
    if (learner instanceof HostLearner) {
      for (const place of model.layout.stage(stage)) learner.gradient.add(place, values.slice(place.offset, place.offset + place.size))
      continue
    }
    const own = stageView(values, model.layout.stage(stage))
    const padded = new Float32Array(packedRows(own.length) * packedWidth)
    padded.set(own)
    await learner.gradient.take(stage, { gradient: await device.upload(float32(padded, [packedRows(own.length), packedWidth])) }, device)
  }
}

const norms: Record<string, number[]> = {}

/** Updates in which everything that a trainer may ask for happens. */
const learn = async (device: Device, learner: Learner, model: SpeechModel, name: string): Promise<void> => {
  const settings = { weightDecay: 0.1, freezeFrontend: true }
  const own = segmentsOf(model, settings)
  // A third of the projection learns at half the rate, another not at all.
  const [{ offset, length }] = own as [AdamWSegment]
  const uneven = [{ offset, length: Math.floor(length / 3), weightDecay: 0.2, learningRateScale: 0.5 }, { offset: offset + 2 * Math.floor(length / 3), length: Math.floor(length / 3), weightDecay: 0 }]
  const blends = model.layout.places.filter(({ local }) => local.endsWith('.blend'))
  norms[name] = []
  for (const [i, segments] of [mixerSegments(model, settings), own, uneven, own].entries()) {
    learner.gradient.clear()
    learner.gradient.scale = i === 2 ? 8 : 1
    await teach(device, model, learner, i, learner.gradient.scale)
    if (i > 1) await teach(device, model, learner, 10 + i, learner.gradient.scale)
    await learner.assign(blends, i / 4)
    const norm = await learner.gradient.norm()
    norms[name].push(norm)
    await learner.step({ learningRate: 1e-2, update: i === 0 ? 1 : i, gradientScale: clipScale(norm, 1), segments })
    if (i === 0) learner.forgetMoments()
    await learner.follow(0.9, i + 1)
    if (i === 1) await learner.fetch('weights')
  }
  await learner.fetch('all')
}

for (const name of ['cpu', 'webgpu'] as const) {
  describe.skipIf(name === 'webgpu' && noAdapter !== undefined)(`learning on device ${name}`, () => {
    const [device, host] = [openDevice(name, { threads: 1 }), openDevice('cpu', { threads: 1 })]
    afterAll(() => Promise.all([device.dispose(), host.dispose()]))

    it('does what learning in this process does', async () => {
      const [mine, theirs] = [createModel(config, 1), createModel(config, 1)]
      const here = new HostLearner(host, mine, { averaged: mine.parameters.slice() })
      const there = new DeviceLearner(device, theirs, { averaged: theirs.parameters.slice() })
      const live = device.liveBytes
      await learn(host, here, mine, 'here')
      await learn(device, there, theirs, 'there')
      norms.here!.forEach((norm, i) => expect(Math.abs(norms.there![i]! / norm - 1)).toBeLessThan(1e-5))
      for (const vector of ['parameters', 'averaged', 'firstMoment', 'secondMoment'] as const) {
        const [expected, found] = [here.state[vector]!, there.state[vector]!]
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        expect(Math.max(...expected.map((value, i) => Math.abs(value - found[i]!))) / largest, vector).toBeLessThan(1e-5)
        expect(largest).toBeGreaterThan(0)
      }
      // What does not take part keeps its bits.
      const frontend = theirs.layout.stage('frontend').reduce((total, { size }) => total + size, 0)
      expect(theirs.parameters.subarray(0, frontend)).toEqual(createModel(config, 1).parameters.subarray(0, frontend))
      const total = await there.gradient.read()
      const summed = await here.gradient.read()
      expect(Math.max(...summed.map((value, i) => Math.abs(value - total[i]!)))).toBeLessThan(1e-5)
      await there.dispose()
      expect(device.liveBytes).toBe(live)
    })

    it('has a norm that is not finite when an element is not', async () => {
      const model = createModel(config, 1)
      const learner = new DeviceLearner(device, model)
      for (const value of [NaN, Infinity]) {
        const broken = new Float32Array(packedWidth * packedRows(stageView(model.parameters, model.layout.stage('head')).length))
        broken[3] = value
        learner.gradient.clear()
        await learner.gradient.take('head', { gradient: await device.upload(float32(broken, [broken.length / packedWidth, packedWidth])) })
        expect(Number.isFinite(await learner.gradient.norm())).toBe(false)
        expect((await learner.gradient.read())[model.layout.stage('head')[0]!.offset + 3]).toBe(value)
      }
      await learner.dispose()
    })
  })
}
