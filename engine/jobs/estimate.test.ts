import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openWorkshop, tinyConfig, type Workshop } from '../cli/testing/command.ts'
import type { Estimate, GuidanceName } from '../contract/index.ts'
import { createModel, frameCount, openModel, parseWav2Vec2Config, saveModel } from '../models/index.ts'
import { estimate } from './estimate.ts'

let workshop: Workshop
let deep: string
const depth = 6

beforeAll(async () => {
  workshop = await openWorkshop()
  deep = join(workshop.folder, 'deep')
  const { folder } = await openModel(workshop.model)
  await saveModel(deep, createModel(parseWav2Vec2Config({ ...tinyConfig, num_hidden_layers: depth, vocab_size: 8, hidden_dropout: 0.1, activation_dropout: 0, attention_dropout: 0, feat_proj_dropout: 0, final_dropout: 0 }, 'deep'), 3), folder)
})

const of = (model: string, guidance: GuidanceName, training: object = {}): Promise<Estimate> =>
  estimate(
    {
      teacher: model,
      source: model,
      guidance: { guidance, layerwiseWeight: 1, outputWeight: 0.25 },
      mixer: { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 },
      train: [workshop.manifest],
      dev: [workshop.manifest],
      out: join(workshop.folder, 'never'),
      resume: false,
      text: { case: 'auto', unknown: 'error' },
      device: 'cpu',
      threads: 2,
      training: { updates: 100, batchSeconds: 2, schedule: { peak: 1e-3, warmupUpdates: 2, decay: 'none', floor: 0 }, weightDecay: 0, clipNorm: 1, freezeFrontend: true, evaluateEvery: 30, seed: 1, ...training },
    },
    { signal: new AbortController().signal, onEvent: () => undefined },
  )

describe('estimate', () => {
  it.each([
    ['unguided', 2],
    ['target', 2],
    ['trajectory', depth],
  ] as const)('rehearses %s guidance of %i layers, and adds up', { timeout: 120_000 }, async (guidance, layers) => {
    const found = await of(layers === 2 ? workshop.model : deep, guidance, layers === 2 ? {} : { specAugment: { timeProbability: 0 } })
    const { seconds, parts } = found
    expect(found.secondsPerUpdate).toBeGreaterThan(0)
    expect(seconds.updates).toBeCloseTo(100 * found.secondsPerUpdate, 9)
    expect(seconds.total).toBeCloseTo(seconds.features + seconds.updates + seconds.evaluations + seconds.checkpoints, 9)
    for (const part of Object.values(seconds)) expect(part).toBeGreaterThan(0)
    expect(found.hostBytes).toBe(Object.values<number>({ ...parts }).reduce((a, b) => a + b, 0))
    expect(found.deviceBytes).toBe(0)
    const config = { conv_kernel: tinyConfig.conv_kernel, conv_stride: tinyConfig.conv_stride }
    const frames = Array.from({ length: 8 }, (_, i) => frameCount(config as never, Math.round((0.5 + 0.07 * i) * 16_000))).reduce((a, b) => a + b, 0)
    expect(parts.features).toBe(2 * 4 * 8 * frames)
  })

  it('counts weights, gradients and moments exactly', { timeout: 120_000 }, async () => {
    const target = await of(workshop.model, 'target')
    const student = target.checkpointBytes / (2 * 3 * 4)
    const teacher = workshop.weights.layout.size
    expect(student).toBeGreaterThan(teacher)
    expect(target.parts.weights).toBe(4 * (student + teacher))
    expect(target.parts.optimiser).toBe(4 * 3 * student)
    // A teacher that learns is a copy of the source, with a gradient and moments; source and teacher are opened apart.
    const trajectory = await of(workshop.model, 'trajectory', { averageDecay: 0.9 })
    expect(trajectory.parts.weights).toBe(4 * (2 * student + 3 * teacher))
    expect(trajectory.parts.optimiser).toBe(4 * 3 * (student + teacher))
  })

  it('counts a dropout mask a layer, and hidden states of student and teacher', { timeout: 120_000 }, async () => {
    const all = { batchSeconds: 100 }
    const [without, withMasks] = [await of(deep, 'target', { ...all, dropout: { hidden: 0 } }), await of(deep, 'target', all)]
    const frames = frameCount({ conv_kernel: tinyConfig.conv_kernel, conv_stride: tinyConfig.conv_stride }, Math.round(0.99 * 16_000))
    // Behind the mixer, behind the feed-forward part of each layer, and at the encoder's input: [batch, time, hidden_size], a byte each.
    expect(withMasks.parts.activations - without.parts.activations).toBe((2 * depth + 1) * 8 * frames * tinyConfig.hidden_size)
  })

  it('keeps nothing', { timeout: 120_000 }, async () => {
    await of(workshop.model, 'target')
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('cald-estimate-'))).toEqual([])
  })
})
