import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { columnsOf, heatStrip } from './heatStrip.ts'

describe('heat strip', () => {
  it('averages before it thins: the mean of every row survives', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 9, noNaN: true }), fc.double({ min: 0, max: 9, noNaN: true })), { minLength: 1, maxLength: 40 }), (rows) => {
        const points = rows.map((values, i) => [i + 1, values] as const)
        const columns = columnsOf(points, 8)
        expect(columns.length).toBeLessThanOrEqual(8)
        expect(columns.at(-1)!.x).toBe(points.length)
        const stride = Math.ceil(points.length / 8)
        for (const row of [0, 1]) {
          const total = columns.reduce((sum, { values }, i) => sum + values[row]! * Math.min(stride, points.length - i * stride), 0)
          expect(total).toBeCloseTo(rows.reduce((sum, values) => sum + values[row]!, 0), 8)
        }
      }),
    )
  })

  it('colours the largest value fully, the smallest faintly, and says both', () => {
    const drawn = heatStrip([[1, [0.5, 2]], [2, [0.25, 1]]], { title: 'Alignment', x: 'update' })
    expect(drawn).toContain('from 0.25 (pale) to 2.0 (strong)')
    expect([...drawn.matchAll(/fill-opacity="([\d.]+)"/g)].map((match) => Number(match[1]))).toEqual([0.373, 1, 0.06, 0.687])
    expect(drawn).toContain('<title>layer 2, update 1: 2.00</title>')
  })

  it('draws nothing of nothing', () => {
    expect(heatStrip([], { title: 'Alignment', x: 'update' })).toBe('')
  })
})
