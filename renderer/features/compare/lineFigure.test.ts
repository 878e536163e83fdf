import { expect, test } from 'vitest'
import { lineFigure } from './lineFigure.ts'

const box = { left: 0, right: 300, top: 0, bottom: 200 }

test('ten times as much is as far on either axis, and up is more', () => {
  const { lines, xTicks, yTicks } = lineFigure([1, 10, 100].map((x) => ({ model: 0, x, y: x * x })), box)
  expect(lines[0]!.map(([x]) => Math.round(x))).toEqual([0, 150, 300])
  expect(lines[0]!.map(([, y]) => Math.round(y))).toEqual([200, 100, 0])
  expect(lines[1]).toEqual([])
  expect(xTicks.map(({ value }) => value)).toEqual([1, 10, 100])
  expect(yTicks.map(({ value }) => value)).toContain(100)
})

test('nothing and one point have a figure too', () => {
  expect(lineFigure([], box).lines).toEqual([[], []])
  expect(lineFigure([{ model: 1, x: 10, y: 3 }], box).lines[1]![0]!.every(Number.isFinite)).toBe(true)
})
