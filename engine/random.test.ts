import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fillKeepMask, philox4x32, stream } from './random.ts'

/** Of Random123's kat_vectors (Salmon et al. 2011): rounds, counter, key, answer. */
const knownAnswers = [
  [7, [0, 0, 0, 0], [0, 0], [0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48]],
  [7, [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662]],
  [7, [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a]],
  [10, [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
  [10, [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  [10, [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
] as const

test.each(knownAnswers)('Philox4x32-%i of counter %j and key %j', (rounds, counter, key, answer) => {
  const out = new Uint32Array(4)
  philox4x32(counter, key, rounds, out)
  expect([...out]).toEqual(answer)
})

/** xoshiro128++ as its authors write it, over unsigned words: https://prng.di.unimi.it/xoshiro128plusplus.c */
function* xoshiro(state: readonly number[]): Generator<number> {
  const rotated = (x: number, k: number): number => ((x << k) | (x >>> (32 - k))) >>> 0
  let [s0, s1, s2, s3] = state as [number, number, number, number]
  for (;;) {
    yield (rotated((s0 + s3) >>> 0, 7) + s0) >>> 0
    const t = (s1 << 9) >>> 0
    ;[s2, s3] = [(s2 ^ s0) >>> 0, (s3 ^ s1) >>> 0]
    ;[s1, s0] = [(s1 ^ s2) >>> 0, (s0 ^ s3) >>> 0]
    ;[s2, s3] = [(s2 ^ t) >>> 0, rotated(s3, 11)]
  }
}

test('xoshiro128++ from 1, 2, 3, 4', () => {
  const words = xoshiro([1, 2, 3, 4])
  // Printed by its authors' program.
  expect(Array.from({ length: 10 }, () => words.next().value as number)).toEqual([641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295, 495546011, 621204420])
})

test('a mask is its stream: sixteen bits say how far on the next dropped element is, as a geometric number', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2000 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (length, probability, seed) => {
      const mask = new Uint8Array(length)
      fillKeepMask(mask, probability, seed, 'dropout', 7, 'site')
      const words = xoshiro([...stream(seed, ['dropout', 7, 'site', 'mask'])])
      const expected = new Uint8Array(length).fill(1)
      for (let at = -1; at < length; ) {
        const { value: word } = words.next() as { value: number }
        for (const bits of [word >>> 16, word & 0xffff]) {
          let step = 1
          while (step <= 255 && bits >= Math.round(65536 * (1 - (1 - probability) ** step))) step++
          at += Math.min(step, 255)
          if (step <= 255 && at < length) expected[at] = 0
        }
      }
      expect(mask).toEqual(expected)
    }),
  )
})

test('elements are dropped by themselves: neighbours, and those a longest step apart, both as often as two of them should be', () => {
  const mask = new Uint8Array(4_000_000)
  for (const probability of [0.1, 0.01]) {
    fillKeepMask(mask, probability, 5, 'pairs')
    for (const apart of [1, 2, 16, 254, 255, 256]) {
      let both = 0
      for (let i = apart; i < mask.length; i++) both += Number(mask[i] === 0 && mask[i - apart] === 0)
      const share = probability ** 2
      expect(Math.abs(both - share * mask.length)).toBeLessThan(4 * Math.sqrt(mask.length * share))
    }
  }
})

test.each([0, 0.1, 1 / 256, 0.5, 0.001, 1])('drops as often as asked: %f', (probability) => {
  const mask = new Uint8Array(4_000_000)
  fillKeepMask(mask, probability, 3, 'share')
  const dropped = mask.reduce((total, kept) => total + 1 - kept, 0)
  // Four standard deviations of a binomial number.
  expect(Math.abs(dropped - probability * mask.length)).toBeLessThanOrEqual(4 * Math.sqrt(mask.length * probability * (1 - probability)))
})
