import { describe, expect, it } from 'vitest'
import { add, exp, graph, input, matmul, mul, peakLiveBytes, reshape, sum, variable } from './index.ts'

describe('peakLiveBytes', () => {
  const x = input('x', [variable('n'), 8])

  it('counts results until their last reader, and not the inputs', () => {
    const a = matmul(x, input('w', [8, 8]))
    const b = matmul(a, input('v', [8, 8]))
    // a and b at once, then b and its sum, which is a number a row.
    expect(peakLiveBytes(graph('chain', { y: sum(b, [1]) }), { n: 10 })).toBe(4 * (80 + 80))
  })

  it('lets elementwise results take the place of what nobody reads any more, and views cost nothing', () => {
    const a = matmul(x, input('w', [8, 8]))
    expect(peakLiveBytes(graph('in place', { y: exp(reshape(exp(a), [variable('n'), 2, 4])) }), { n: 10 })).toBe(4 * 80)
    // a is read again: its exponential needs memory of its own.
    expect(peakLiveBytes(graph('kept', { y: mul(exp(a), a) }), { n: 10 })).toBe(4 * 160)
  })

  it('keeps what the graph gives', () => {
    const a = matmul(x, input('w', [8, 8]))
    expect(peakLiveBytes(graph('outputs', { a, b: add(a, a) }), { n: 10 })).toBe(4 * 160)
  })
})
