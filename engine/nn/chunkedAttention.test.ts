import { afterAll, describe, expect, it } from 'vitest'
import { gradients } from '../autodiff/index.ts'
import { dense, evaluateReference, graph, input, linearAttention, variable, type Dense, type Graph, type Value } from '../ir/index.ts'
import { randomSequence } from '../ir/testing/operationCases.ts'
import { float32, openDevice } from '../runtime/index.ts'
import { useSwiftShader } from '../runtime/testing/swiftShader.ts'
import { chunkedLinearAttention } from './chunkedAttention.ts'

const noAdapter = useSwiftShader()

type Attend = (q: Value, k: Value, v: Value, g: Value) => Value
const [size, width] = [3, 2]

/** The result and the gradient of every input. */
const built = (heads: number, groups: number, attend: Attend): Graph => {
  const lead = [variable('batch'), variable('time')]
  const [q, k, v, g] = [input('q', [...lead, groups * size]), input('k', [...lead, groups * size]), input('v', [...lead, heads * width]), input('g', [...lead, heads])]
  const y = attend(q, k, v, g)
  const [dq, dk, dv, dg] = gradients([{ value: y, gradient: input('dy', y.type.shape) }], [q, k, v, g])
  return graph('attention', { y, dq: dq!, dk: dk!, dv: dv!, dg: dg! })
}

const inputsOf = (heads: number, groups: number, time: number): Record<string, Dense> => {
  const random = randomSequence(heads + time)
  const of = (channels: number, element: () => number = random): Dense => dense([2, time, channels], Array.from({ length: 2 * time * channels }, element))
  // Some decays that leave nothing of the state, as a Mamba2 that has learned to forget has them.
  const decay = (): number => (random() > 0.8 ? -60 : -1.5 * Math.abs(random()))
  return { q: of(groups * size), k: of(groups * size), v: of(heads * width), g: of(heads, decay), dy: of(heads * width) }
}

const apart = (a: Record<string, { data: ArrayLike<number> }>, b: Record<string, { data: ArrayLike<number> }>): number =>
  Math.max(...Object.keys(a).flatMap((name) => Array.from(a[name]!.data, (value, i) => Math.abs(value - b[name]!.data[i]!))))

describe('chunked linear attention', () => {
  it.each([[2, 1, 4, 11], [2, 2, 4, 8], [4, 2, 3, 13], [1, 1, 16, 5], [4, 1, 1, 6]])('is what the operation is, and so is its gradient: %i heads, %i groups, chunks of %i, %i steps', (heads, groups, chunk, time) => {
    const fed = inputsOf(heads, groups, time)
    const expected = evaluateReference(built(heads, groups, (q, k, v, g) => linearAttention(q, k, v, g, { heads, groups })), fed)
    const found = evaluateReference(built(heads, groups, (q, k, v, g) => chunkedLinearAttention(q, k, v, g, { heads, groups, chunk })), fed)
    expect(apart(expected, found)).toBeLessThan(1e-10)
  })

  it('has the gradient of finite differences', () => {
    const [heads, groups, chunk] = [2, 1, 3]
    const fed = inputsOf(heads, groups, 7)
    const program = built(heads, groups, (q, k, v, g) => chunkedLinearAttention(q, k, v, g, { heads, groups, chunk }))
    const value = (): number => evaluateReference(program, fed).y!.data.reduce((total, y, i) => total + y * fed.dy!.data[i]!, 0)
    const analytic = evaluateReference(program, fed)
    for (const name of ['q', 'k', 'v', 'g']) {
      const data = fed[name]!.data
      for (let i = 0; i < data.length; i += 3) {
        const before = data[i]!
        data[i] = before + 1e-5
        const above = value()
        data[i] = before - 1e-5
        const below = value()
        data[i] = before
        expect(Math.abs((above - below) / 2e-5 - analytic[`d${name}`]!.data[i]!), `${name}[${i}]`).toBeLessThan(1e-7)
      }
    }
  })

  for (const name of ['cpu', 'webgpu'] as const) {
    const device = openDevice(name, { threads: 1 })
    afterAll(() => device.dispose())
    it.skipIf(name === 'webgpu' && noAdapter !== undefined)(`is computed by the device ${name} as by the reference`, { timeout: 120_000 }, async () => {
      const [heads, groups, chunk] = [4, 2, 4]
      const fed = inputsOf(heads, groups, 14)
      const program = built(heads, groups, (q, k, v, g) => chunkedLinearAttention(q, k, v, g, { heads, groups, chunk }))
      const compiled = await device.compile(program)
      const tensors = Object.fromEntries(await Promise.all(Object.entries(fed).map(async ([key, { shape, data }]) => [key, await device.upload(float32(Float32Array.from(data), shape))] as const)))
      const outputs = await compiled.run(tensors)
      const found = Object.fromEntries(await Promise.all(Object.entries(outputs).map(async ([key, tensor]) => [key, await device.read(tensor)] as const)))
      expect(apart(evaluateReference(program, fed), found)).toBeLessThan(2e-5)
    })
  }
})
