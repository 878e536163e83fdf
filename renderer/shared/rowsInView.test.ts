import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rowsInView } from './rowsInView.ts'

it('has every row in sight there, and few more', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(2000), fc.integer({ min: 1, max: 80 }), fc.double({ min: -0.2, max: 1, noNaN: true }), fc.integer({ min: 0, max: 20 }), (total, height, rowHeight, at, beside) => {
      // Less than 0: the list begins below the top of what scrolls.
      const scrolled = at * Math.max(0, total * rowHeight - height)
      const { first, last } = rowsInView({ scrolled, height, rowHeight, total, beside })
      expect(first).toBeGreaterThanOrEqual(0)
      expect(last).toBeLessThanOrEqual(total)
      for (const row of [Math.floor(scrolled / rowHeight), Math.ceil((scrolled + height) / rowHeight) - 1]) {
        if (row < 0 || row >= total || height === 0) continue
        expect(row).toBeGreaterThanOrEqual(first)
        expect(row).toBeLessThan(last)
      }
      expect(last - first).toBeLessThanOrEqual(Math.ceil(height / rowHeight) + 2 * beside + 1)
    }),
  )
})
