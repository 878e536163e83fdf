import { expect, test } from 'vitest'
import { smoothed, thinned } from './smooth.ts'

test('smoothing keeps a constant, follows the formula, and leaves gaps', () => {
  expect(smoothed([3, 3, 3], 0.9).map((value) => value!.toFixed(9))).toEqual(['3.000000000', '3.000000000', '3.000000000'])
  const [first, gap, second] = smoothed([1, null, 3], 0.5)
  expect([first, gap]).toEqual([1, null])
  expect(second).toBeCloseTo((0.25 * 1 + 0.5 * 3) / 0.75, 12)
  expect(smoothed([1, 5, 2], 0)).toEqual([1, 5, 2])
})

test('thinning keeps the last place and stays under its limit', () => {
  for (const [length, most] of [[0, 10], [7, 10], [100_000, 2000], [2001, 2000]] as const) {
    const places = thinned(length, most)
    expect(places.length).toBeLessThanOrEqual(most)
    expect(places.at(-1)).toBe(length === 0 ? undefined : length - 1)
  }
})
