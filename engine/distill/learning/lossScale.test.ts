import { describe, expect, it } from 'vitest'
import { LossScale } from './lossScale.ts'

describe('LossScale', () => {
  it('halves at an overflow, doubles after 2000 updates without one, and counts what was lost', () => {
    const scale = new LossScale('float16')
    expect(scale.value).toBe(65536)
    expect([scale.follow(false), scale.follow(false)]).toEqual([true, true])
    expect([scale.value, scale.overflows]).toEqual([16384, 2])
    for (let i = 0; i < 1999; i++) scale.follow(true)
    expect(scale.value).toBe(16384)
    scale.follow(true)
    expect(scale.value).toBe(32768)
    for (let i = 0; i < 1000; i++) scale.follow(true)
    // An overflow starts the count again.
    scale.follow(false)
    for (let i = 0; i < 1999; i++) scale.follow(true)
    expect([scale.value, scale.overflows]).toEqual([16384, 3])
    scale.forgetOverflows()
    expect([scale.value, scale.overflows]).toEqual([16384, 0])
  })

  it('goes no further up than 2^24, nor below 1, where what is not finite is not its doing', () => {
    const scale = new LossScale('float16')
    for (let i = 0; i < 2000 * 12; i++) scale.follow(true)
    expect(scale.value).toBe(2 ** 24)
    for (let i = 0; i < 24; i++) expect(scale.follow(false)).toBe(true)
    expect(scale.value).toBe(1)
    expect(scale.follow(false)).toBe(false)
    expect(scale.overflows).toBe(24)
  })

  it('goes on from its state', () => {
    const [before, after] = [new LossScale('float16'), new LossScale('float16')]
    before.follow(false)
    for (let i = 0; i < 1500; i++) before.follow(true)
    after.state!.set(before.state!)
    for (let i = 0; i < 500; i++) for (const scale of [before, after]) scale.follow(true)
    expect(after.state).toEqual(before.state)
    expect(after.value).toBe(65536)
  })

  it('is 1 and blames nothing in float32', () => {
    const scale = new LossScale()
    expect([scale.follow(true), scale.follow(false), scale.value, scale.overflows, scale.state]).toEqual([false, false, 1, 0, undefined])
  })
})
