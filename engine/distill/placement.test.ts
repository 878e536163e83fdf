import { afterAll, describe, expect, it } from 'vitest'
import { RuntimeError } from '../errors.ts'
import { graph, input, variable, type Graph } from '../ir/index.ts'
import { createModel, parseWav2Vec2Config } from '../models/index.ts'
import { openDevice, type Device } from '../runtime/index.ts'
import { useSwiftShader } from '../runtime/testing/swiftShader.ts'
import { openWeights } from './learning/index.ts'
import { trainingStages, type StageKind } from './stages.ts'

const noAdapter = useSwiftShader()

const shape = { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, conv_dim: [8, 8], conv_kernel: [10, 4], conv_stride: [5, 4], num_conv_pos_embeddings: 8, num_conv_pos_embedding_groups: 2, vocab_size: 12 }
const dropout = { feat_proj_dropout: 0.1, hidden_dropout: 0.1, activation_dropout: 0.1, attention_dropout: 0.1 }
const mixer = { kind: 'biMamba2', expand: 1, dState: 8, dConv: 4, headdim: 8, ngroups: 1 }
const families = { base: { feat_extract_norm: 'group', do_stable_layer_norm: false }, large: { feat_extract_norm: 'layer', do_stable_layer_norm: true } }
const kinds = { frontend: 'frontend', projection: 'projection', layer: 'layers.0', head: 'head' } as const satisfies Partial<Record<StageKind, string>>

/** Every graph that a target guided update runs for one of its models, the frontend trained, with parameters and gradients as they are on the device. */
const graphsOf = (device: Device, training: boolean, family: object, precision: 'float32' | 'float16'): Graph[] => {
  const role = training ? { model_type: 'cald_wav2vec2_bimamba2', mixer } : { model_type: 'wav2vec2' }
  const config = parseWav2Vec2Config({ ...role, ...shape, ...dropout, ...family }, 'placement')
  const stages = trainingStages(config, { training, timeMask: true, featureMask: true, frontendTrained: true, precision })
  const weights = openWeights(device, createModel(config, 1))
  return Object.entries(kinds).flatMap(([kind, stage]) => {
    const { forward, backward, guidedBackward } = stages[kind as StageKind]
    return (training ? [forward, backward, guidedBackward] : [forward]).filter((built) => built !== undefined).map((built) => weights.adapt(built, stage))
  })
}

describe.skipIf(noAdapter !== undefined)('placement of a training step on webgpu', () => {
  const device = openDevice('webgpu')
  afterAll(() => device.dispose())

  // A session is opened with disable_cpu_ep_fallback: ONNX Runtime refuses it when it would give a node to the CPU.
  for (const [family, settings] of Object.entries(families)) {
    for (const [model, training] of [['student', true], ['teacher', false]] as const) {
      // Where the shaders know no float16, as SwiftShader's do not, a program in it is placed all the same and fails when it runs.
      it.each(['float32', 'float16'] as const)(`leaves no node of the ${model} to the cpu, ${family}, %s`, { timeout: 120_000 }, async (precision) => {
        const graphs = graphsOf(device, training, settings, precision)
        const float16 = precision === 'float16' ? { weights: new Set(['parameters']) } : undefined
        expect(graphs.length).toBe(training ? 10 : 4)
        for (const built of graphs) expect(built.inputs.filter(({ params }) => params.name === 'parameters').length).toBe(1)
        for (const built of graphs) await (await device.compile(built, { float16 })).dispose()
      })
    }
  }

  it('would say so', async () => {
    // Nothing on the GPU has a result of whole numbers of 8 bits: an identity of masks is the CPU's.
    const mask = graph('mask', { y: input('mask', [variable('n')], 'bool') })
    await expect(device.compile(mask)).rejects.toBeInstanceOf(RuntimeError)
  })
})
