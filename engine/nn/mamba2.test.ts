import { afterAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { readFixture, type FixtureData, type FixtureTensor } from '../../fixtures/read.ts'
import { gradients } from '../autodiff/index.ts'
import { dense, evaluateReference, graph, input, mulDims, variable, type Dense, type Graph, type Value } from '../ir/index.ts'
import { float32, int32, bool, openDevice, type HostTensor } from '../runtime/index.ts'
import { biMamba2, mamba2, Parameters, type Mamba2Config } from './index.ts'

interface MixerCase {
  name: string
  kind: 'mixer' | 'bidirectional'
  config: Mamba2Config & { hiddenSize: number }
  parameters: Record<string, FixtureTensor>
  x: FixtureTensor
  lengths?: number[]
  output: FixtureTensor<Float64Array<ArrayBuffer>>
  hfOutput?: FixtureTensor
  outputGradient: FixtureTensor
  gradients: Record<string, FixtureTensor<Float64Array<ArrayBuffer>>>
}

const batch = variable('batch')
const time = variable('time')
const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const paddingArrays = (lengths: readonly number[], frames: number): { valid: Uint8Array; reversal: Int32Array } => ({
  valid: Uint8Array.from({ length: lengths.length * frames }, (_, i) => Number(i % frames < lengths[Math.floor(i / frames)]!)),
  reversal: Int32Array.from({ length: lengths.length * frames }, (_, i) => {
    const [b, t] = [Math.floor(i / frames), i % frames]
    return b * frames + (t < lengths[b]! ? lengths[b]! - 1 - t : t)
  }),
})

/** The mixer and the gradient of ⟨dy, mixer(x)⟩ with respect to x and every parameter. */
const mixerGraph = ({ kind, config }: Pick<MixerCase, 'kind' | 'config'>, padded: boolean): Graph => {
  const p = new Parameters()
  const x = input('x', [batch, time, config.hiddenSize])
  const padding = padded ? { valid: input('valid', [batch, time], 'bool'), reversal: input('reversal', [mulDims(batch, time)], 'int32') } : undefined
  const y = kind === 'mixer' ? mamba2(p, x, config) : biMamba2(p, x, config, padding)
  const wrt: Value[] = [x, ...p.values]
  const results = gradients([{ value: y, gradient: input('dy', y.type.shape) }], wrt)
  return graph(kind, { y, ...Object.fromEntries(wrt.map((value, i) => [`d.${(value as Value<'input'>).params.name}`, results[i]!])) })
}

const inputsOf = (mixer: MixerCase): Record<string, { shape: readonly number[]; data: FixtureData }> => {
  const [rows, frames] = mixer.x.shape as [number, number]
  const padding = mixer.lengths === undefined ? undefined : paddingArrays(mixer.lengths, frames)
  return {
    ...mixer.parameters,
    x: mixer.x,
    dy: mixer.outputGradient,
    ...(padding === undefined ? {} : { valid: { shape: [rows, frames], data: Uint8Array.from(padding.valid) }, reversal: { shape: [rows * frames], data: Int32Array.from(padding.reversal) } }),
  }
}

const relativeError = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  expect(found.length).toBe(expected.length)
  let largest = 1e-12
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    worst = Math.max(worst, Math.abs(found[i]! - expected[i]!))
    if (Number.isNaN(found[i]!)) return NaN
  }
  return worst / largest
}

const toHost = ({ shape, data }: { shape: readonly number[]; data: FixtureData }): HostTensor => {
  if (data instanceof Uint8Array) return bool(data, shape)
  return data instanceof Int32Array ? int32(data, shape) : float32(Float32Array.from(data), shape)
}

const runOnDevice = async (built: Graph, inputs: ReturnType<typeof inputsOf>): Promise<Record<string, ArrayLike<number>>> => {
  const program = await device.compile(built)
  const fed = await Promise.all(built.inputs.map(async ({ params }) => [params.name, await device.upload(toHost(inputs[params.name]!))] as const))
  const outputs = await program.run(Object.fromEntries(fed))
  const read = await Promise.all(Object.entries(outputs).map(async ([name, tensor]) => [name, (await device.read(tensor)).data] as const))
  await program.dispose()
  return Object.fromEntries(read)
}

describe('the Mamba2 mixer', () => {
  for (const mixer of readFixture<MixerCase>('mamba2_mixer')) {
    const built = mixerGraph(mixer, mixer.lengths !== undefined && new Set(mixer.lengths).size + mixer.lengths.length > 2)
    const expected: Record<string, ArrayLike<number>> = { y: mixer.output.data, ...Object.fromEntries(Object.entries(mixer.gradients).map(([name, { data }]) => [`d.${name}`, data])) }

    it(`${mixer.kind} ${mixer.name}: output and every gradient match a step-by-step float64 reference`, async () => {
      const inputs = inputsOf(mixer)
      const reference = evaluateReference(built, Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]): [string, Dense] => [name, dense(shape, data)])))
      const onDevice = await runOnDevice(built, inputs)
      expect(Object.keys(expected).sort()).toEqual(Object.keys(built.outputs).sort())
      for (const [name, values] of Object.entries(expected)) {
        expect(relativeError(reference[name]!.data, values), `${name} in float64`).toBeLessThan(1e-9)
        expect(relativeError(onDevice[name]!, values), `${name} on the device`).toBeLessThan(1e-4)
      }
      if (mixer.hfOutput !== undefined) expect(relativeError(onDevice.y!, mixer.hfOutput.data), "HF's mixer").toBeLessThan(1e-5)
    })
  }

  it('lets padding change no valid frame, whatever the padded frames hold', async () => {
    const config: Mamba2Config = { expand: 1, dState: 4, dConv: 4, headdim: 4, ngroups: 1 }
    const width = 8
    const p = new Parameters()
    const x = input('x', [batch, time, width])
    const padded = graph('padded', { y: biMamba2(p, x, config, { valid: input('valid', [batch, time], 'bool'), reversal: input('reversal', [mulDims(batch, time)], 'int32') }) })
    const alone = graph('alone', { y: biMamba2(p, x, config, undefined) })
    const parameters = Object.fromEntries(p.specs.map(({ name, shape }, s) => [name, { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + s)) }]))
    const value = fc.float({ min: -3, max: 3, noNaN: true })
    const lengths = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer({ min: 0, max: 5 }), fc.array(value, { minLength: 4 * 17 * width, maxLength: 4 * 17 * width }), async (valid, extra, pool) => {
        const frames = Math.max(...valid) + extra
        const data = Float32Array.from(pool.slice(0, valid.length * frames * width))
        const padding = paddingArrays(valid, frames)
        const inputs = { ...parameters, x: { shape: [valid.length, frames, width], data }, valid: { shape: [valid.length, frames], data: Uint8Array.from(padding.valid) }, reversal: { shape: [valid.length * frames], data: Int32Array.from(padding.reversal) } }
        const together = (await runOnDevice(padded, inputs)).y!
        for (const [b, length] of valid.entries()) {
          const start = b * frames * width
          const own = data.slice(start, start + length * width)
          const single = (await runOnDevice(alone, { ...parameters, x: { shape: [1, length, width], data: own } })).y!
          for (let i = 0; i < length * width; i++) expect(Math.abs(together[start + i]! - single[i]!)).toBeLessThan(1e-5)
          for (let i = length * width; i < frames * width; i++) expect(together[start + i]).toBe(0)
        }
      }),
      { numRuns: 40 },
    )
  })
})
