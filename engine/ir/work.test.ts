import { describe, expect, it } from 'vitest'
import { conv1d, graph, input, linearAttention, matmul, matrixWork, variable } from './index.ts'

describe('matrixWork', () => {
  const time = variable('time')
  it('counts two operations for each product that is added up', () => {
    const x = input('x', [2, time, 8])
    expect(matrixWork(graph('m', { y: matmul(x, input('w', [5, 8]), { transposeB: true }) }).nodes, { time: 3 })).toBe(2 * 2 * 3 * 8 * 5)
    const y = conv1d(input('x', [1, 4, time]), input('w', [6, 2, 3]), { groups: 2 })
    expect(matrixWork(graph('c', { y }).nodes, { time: 10 })).toBe(2 * (6 * 8) * 2 * 3)
    const [q, v, g] = [input('q', [1, time, 4]), input('v', [1, time, 6]), input('g', [1, time, 2])]
    // Two heads with states of 4 by 3, each written and read once a step.
    expect(matrixWork(graph('l', { y: linearAttention(q, q, v, g, { heads: 2, groups: 1 }) }).nodes, { time: 5 })).toBe(5 * 2 * (2 * 4 * 3 + 2 * 4 * 3))
  })
})
