import { expect, test } from 'vitest'
import { add, div, evaluateReference, expand, graph, input, mul, sub, topologicalOrder, variable, type Dense, type Op, type Value } from '../ir/index.ts'
import { instantiate, operationCases, randomSequence } from '../ir/testing/operationCases.ts'
import { forCpu } from './cpuRewrites.ts'

const opsOf = (value: Value): Set<Op> => new Set(topologicalOrder([value]).map(({ op }) => op))

test.each((Object.keys(operationCases) as Op[]).flatMap((op) => operationCases[op].map((operationCase) => [op, operationCase.title, operationCase] as const)))('%s %s is the same after rewriting', (op, _, operationCase) => {
  const { graph: built, inputs } = instantiate(op, operationCase, 2)
  const [expected, found] = [evaluateReference(built, inputs).y!, evaluateReference(forCpu(built), inputs).y!]
  expect(found.shape).toEqual(expected.shape)
  found.data.forEach((value, i) => expect(Math.abs(value - expected.data[i]!)).toBeLessThan(1e-12 * (1 + Math.abs(expected.data[i]!))))
})

test('an expansion that broadcasting makes anyway is spared, and one that it does not make stays', () => {
  const [n, random] = [variable('n'), randomSequence(3)]
  const [x, column] = [input('x', [n, 4]), input('column', [n, 1])]
  const fed = (shape: number[]): Dense => ({ shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() + 2) })
  const inputs = { x: fed([3, 4]), column: fed([3, 1]) }
  const wide = expand(column, [n, 4])
  for (const [y, kept] of [[mul(wide, x), false], [sub(x, wide), false], [add(wide, wide), true], [mul(expand(column, [2, n, 4]), x), true], [div(x, wide), true]] as const) {
    const built = graph('expanded', { y: add(y, x) })
    const rewritten = forCpu(built)
    expect(opsOf(rewritten.outputs.y!).has('expand')).toBe(kept)
    const [before, after] = [evaluateReference(built, inputs).y!, evaluateReference(rewritten, inputs).y!]
    expect(after).toEqual(before)
  }
})
