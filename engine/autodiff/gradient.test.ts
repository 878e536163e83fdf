import { describe, expect, it } from 'vitest'
import { add, concat, evaluateReference, exp, graph, input, mul, slice, square, topologicalOrder, variable, type Dense, type Graph, type Op, type Value } from '../ir/index.ts'
import { instantiate, operationCases, randomSequence } from '../ir/testing/operationCases.ts'
import { gradients } from './index.ts'

/**
 * The one finite-difference check: ⟨cotangent, graph(inputs)⟩ by central differences in float64 against the graph's own gradient,
 * for every element of every differentiable input. Returns the worst error relative to the largest gradient, and where it is.
 */
const worstGradientError = (built: Graph, inputs: Record<string, Dense>): { error: number; at: string } => {
  const random = randomSequence(5)
  const y = built.outputs.y!
  const shape = evaluateReference(built, inputs).y!.shape
  const cotangent: Dense = { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random) }
  const wrt = built.inputs.filter((value) => value.type.dtype === 'float32')
  const seed = input('cotangent', y.type.shape)
  const results = gradients([{ value: y, gradient: seed }], wrt)
  // The original inputs stay reachable, so that every symbolic length is bound.
  const backward = graph(`${built.name} backward`, { y, ...Object.fromEntries(wrt.map((value, i) => [`d_${value.params.name}`, results[i]!])) })
  const found = evaluateReference(backward, { ...inputs, cotangent })
  const objective = (): number => evaluateReference(built, inputs).y!.data.reduce((total, value, i) => total + value * cotangent.data[i]!, 0)

  let worst = { error: 0, at: 'nowhere' }
  for (const { params } of wrt) {
    const { data } = inputs[params.name]!
    const analytic = found[`d_${params.name}`]!.data
    expect(analytic.length).toBe(data.length)
    const numeric = data.map((value, i) => {
      const h = 1e-5
      data[i] = value + h
      const above = objective()
      data[i] = value - h
      const below = objective()
      data[i] = value
      return (above - below) / (2 * h)
    })
    const largest = Math.max(1e-3, ...numeric.map(Math.abs))
    numeric.forEach((value, i) => {
      const error = Math.abs(value - analytic[i]!) / largest
      if (!(error <= worst.error)) worst = { error, at: `${params.name}[${i}]: finite difference ${value}, gradient ${analytic[i]}` }
    })
  }
  return worst
}

describe('the gradient of every operation matches finite differences', () => {
  for (const op of Object.keys(operationCases) as Op[]) {
    for (const operationCase of operationCases[op]) {
      it(`${op} ${operationCase.title}`, () => {
        const { graph: built, inputs } = instantiate(op, operationCase)
        const { error, at } = worstGradientError(built, inputs)
        expect(error, at).toBeLessThan(2e-8)
      })
    }
  }
})

describe('gradients', () => {
  const x = input('x', [variable('n')])
  const y = input('y', [variable('n')])

  it('adds what reaches a value on several paths', () => {
    const squared = mul(x, x)
    const { error, at } = worstGradientError(graph('paths', { y: add(mul(squared, squared), squared) }), { x: { shape: [3], data: Float64Array.of(0.5, -1, 2) } })
    expect(error, at).toBeLessThan(1e-7)
  })

  it('lays the gradients of slices end to end where they are the whole value, and adds them where they are not', () => {
    const rows = input('x', [variable('n'), 6])
    const part = (start: number, end: number): Value => slice(rows, 1, start, end)
    const check = (built: Value): Set<Op> => {
      const x = { shape: [2, 6], data: Float64Array.from({ length: 12 }, (_, i) => Math.sin(i)) }
      const { error, at } = worstGradientError(graph('slices', { y: built }), { x })
      expect(error, at).toBeLessThan(1e-7)
      const [dx] = gradients([{ value: built, gradient: built }], [rows])
      return new Set(topologicalOrder([dx!]).map(({ op }) => op))
    }
    const whole = check(concat([square(part(4, 6)), exp(part(0, 1)), square(part(1, 4))], 1))
    expect([whole.has('concat'), whole.has('pad')]).toEqual([true, false])
    expect(check(concat([square(part(4, 6)), exp(part(0, 1))], 1)).has('pad')).toBe(true)
    expect(check(concat([square(part(0, 4)), exp(part(3, 6))], 1)).has('pad')).toBe(true)
    expect(check(add(square(part(0, 3)), exp(part(0, 3)))).has('pad')).toBe(true)
  })

  it('refuses a value that nothing connects to the seeds', () => {
    expect(() => gradients([{ value: mul(x, x), gradient: x }], [y])).toThrow("found none to input 'y'")
  })

  it('refuses a seed of another shape', () => {
    expect(() => gradients([{ value: mul(x, x), gradient: input('g', [1]) }], [x])).toThrow('expected [n]')
  })
})
