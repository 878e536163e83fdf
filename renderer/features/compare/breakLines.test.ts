import fc from 'fast-check'
import { expect, it } from 'vitest'
import { breakLines } from './breakLines.ts'

it('has every column once and in order, and lines as full as they can be', () => {
  expect(breakLines([40, 40, 40, 90, 10, 150, 10], 100)).toEqual([{ first: 0, end: 2 }, { first: 2, end: 3 }, { first: 3, end: 5 }, { first: 5, end: 6 }, { first: 6, end: 7 }])
  expect(breakLines([], 100)).toEqual([])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 60 }), fc.integer({ min: 0, max: 500 }), (widths, available) => {
      const lines = breakLines(widths, available)
      expect(lines.flatMap(({ first, end }) => widths.slice(first, end))).toEqual(widths)
      const sum = (first: number, end: number): number => widths.slice(first, end).reduce((a, b) => a + b, 0)
      for (const [i, { first, end }] of lines.entries()) {
        if (end - first > 1) expect(sum(first, end)).toBeLessThanOrEqual(available)
        if (i + 1 < lines.length) expect(sum(first, end + 1)).toBeGreaterThan(available)
      }
    }),
  )
})
