import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryPool } from './memoryPool.ts'

/** Bytes that are worth keeping. */
const least = 2 ** 16

test('hands out what was given back where it fits, the smallest that does', () => {
  const pool = new MemoryPool()
  const [small, large] = [pool.take(100 * least), pool.take(180 * least)]
  for (const buffer of [large, small]) pool.give(buffer)
  expect(pool.take(95 * least)).toBe(small)
  expect(pool.take(95 * least)).toBe(large)
  pool.give(large)
  expect(pool.take(80 * least)).not.toBe(large)
})

test('never hands out memory twice, nor too little, and holds no more than was once in use', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: fc.integer({ min: least, max: 1000 * least }), keep: fc.integer({ min: 0, max: 5 }) }), { maxLength: 200 }), (steps) => {
      const pool = new MemoryPool()
      const held: { buffer: ArrayBuffer; until: number }[] = []
      let most = 0
      steps.forEach(({ bytes, keep }, step) => {
        for (const { buffer } of held.filter(({ until }) => until <= step)) pool.give(buffer)
        held.splice(0, held.length, ...held.filter(({ until }) => until > step))
        const buffer = pool.take(bytes)
        expect(buffer.byteLength).toBeGreaterThanOrEqual(bytes)
        expect(held.some((other) => other.buffer === buffer)).toBe(false)
        held.push({ buffer, until: step + 1 + keep })
        const used = held.reduce((total, each) => total + each.buffer.byteLength, 0)
        most = Math.max(most, used)
        expect(used + pool.freeBytes).toBeLessThanOrEqual(most + 1000 * least)
      })
    }),
  )
})

test('small results neither take what was given back nor push it out', () => {
  const pool = new MemoryPool()
  const large = pool.take(100 * least)
  pool.give(large)
  for (let i = 0; i < 300; i++) pool.give(pool.take(1000))
  expect(pool.take(100 * least)).toBe(large)
  expect(pool.freeBytes).toBe(0)
})
