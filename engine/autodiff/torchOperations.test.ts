import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import * as ir from '../ir/index.ts'
import type { Value } from '../ir/index.ts'
import { gradients } from './index.ts'

type Tensor = FixtureTensor<Float64Array<ArrayBuffer>>

interface TorchCase {
  operation: string
  name: string
  params: Record<string, unknown>
  inputs: Record<string, Tensor>
  outputGradient: Tensor
  output: Tensor
  gradients: Record<string, Tensor>
}

type Inputs = Readonly<Record<string, Value>>

const affine = (x: Value, { weight, bias }: Inputs, epsilon: number): Value => {
  const width = [x.type.shape.at(-1)!]
  return ir.layerNorm(x, weight ?? ir.constant([1], width), bias ?? ir.constant([0], width), epsilon)
}

/** PyTorch's operations in the engine's. */
const operations: Readonly<Record<string, (inputs: Inputs, params: Record<string, unknown>) => Value>> = {
  conv1d: ({ x, weight, bias }, { stride, padding, groups }) => {
    const [padBefore, padAfter] = padding as [number, number]
    const y = ir.conv1d(x!, weight!, { stride: stride as number, padBefore, padAfter, groups: groups as number })
    return bias === undefined ? y : ir.add(y, ir.reshape(bias, [weight!.type.shape[0]!, 1]))
  },
  layerNorm: (inputs, { epsilon }) => affine(inputs.x!, inputs, epsilon as number),
  rmsNorm: ({ x, weight }, { epsilon }) =>
    ir.mul(ir.mul(x!, ir.reciprocal(ir.sqrt(ir.add(ir.meanLast(ir.square(x!)), ir.scalar(epsilon as number))))), weight!),
  gelu: ({ x }) => ir.gelu(x!),
  silu: ({ x }) => ir.silu(x!),
  softplus: ({ x }) => ir.softplus(x!),
  softmax: ({ x }) => ir.softmax(x!),
  gatedLinearAttention: ({ q, k, v, g }, { heads, keyHeads }) => ir.linearAttention(q!, k!, v!, g!, { heads: heads as number, groups: keyHeads as number }),
  weightNorm: ({ g, v }) => ir.mul(v!, ir.div(g!, ir.sqrt(ir.sum(ir.square(v!), [0, 1])))),
}

/** PyTorch's softplus is x itself above 20, which is 2.1e-9 away from its definition at most. */
const tolerance = (operation: string): number => (operation === 'softplus' ? 3e-9 : 1e-11)

const worst = (found: Float64Array, expected: Float64Array): number => {
  expect(found.length).toBe(expected.length)
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3)
  return found.reduce((most, value, i) => Math.max(most, Number.isNaN(value) ? Infinity : Math.abs(value - expected[i]!)), 0) / largest
}

describe('operations and their gradients are PyTorch’s in float64', () => {
  const cases = readFixture<TorchCase>('operations')

  it('reads cases of every operation here', () => {
    expect(new Set(cases.map(({ operation }) => operation))).toEqual(new Set(Object.keys(operations)))
  })

  for (const { operation, name, params, inputs, output, outputGradient, gradients: expected } of cases) {
    it(`${operation} ${name}`, () => {
      const values = Object.fromEntries(Object.entries(inputs).map(([key, { shape }]) => [key, ir.input(key, shape)]))
      const y = operations[operation]!(values, params)
      const wrt = Object.values(values)
      const results = gradients([{ value: y, gradient: ir.input('dy', output.shape) }], wrt)
      const built = ir.graph(name, { y, ...Object.fromEntries(Object.keys(values).map((key, i) => [`d.${key}`, results[i]!])) })
      const fed = Object.fromEntries(Object.entries({ ...inputs, dy: outputGradient }).map(([key, { shape, data }]) => [key, ir.dense(shape, data)]))
      const found = ir.evaluateReference(built, fed)
      expect(found.y!.shape).toEqual(output.shape)
      expect(worst(found.y!.data, output.data), 'output').toBeLessThan(tolerance(operation))
      for (const [key, { data }] of Object.entries(expected)) expect(worst(found[`d.${key}`]!.data, data), `gradient of ${key}`).toBeLessThan(tolerance(operation))
    })
  }
})
