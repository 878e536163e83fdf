import { expect, test } from 'vitest'
import { heard, leftNow, type Said } from './timeLeft.ts'

test('the time left falls while nothing is said, and never below 0', () => {
  const said = heard(undefined, { secondsLeft: 100, at: 10 })
  expect([leftNow(said, 10), leftNow(said, 40), leftNow(said, 500)]).toEqual([100, 70, 0])
})

test('small corrections move it a part, large ones all the way', () => {
  const said: Said = { secondsLeft: 100, at: 0 }
  expect(heard(said, { secondsLeft: 95, at: 10 }).secondsLeft).toBeCloseTo(90 + 0.2 * 5, 9)
  expect(heard(said, { secondsLeft: 300, at: 10 }).secondsLeft).toBe(300)
})

test('updates that come evenly make it fall evenly', () => {
  let said: Said | undefined
  for (let i = 0; i <= 50; i++) said = heard(said, { secondsLeft: 100 - i + (i % 2 === 0 ? 3 : -3), at: i })
  expect(Math.abs(leftNow(said!, 50) - 50)).toBeLessThan(1.5)
})
