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

test('a mask is its stream: sixteen bits an element, the upper ones of one counter and the lower ones of another, whatever its length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (length, probability, seed) => {
      const mask = new Uint8Array(length)
      fillKeepMask(mask, probability, seed, 'dropout', 7, 'site')
      const name = stream(seed, ['dropout', 7, 'site', 'mask'])
      const bytesOf = (block: number, counter: number): Uint8Array => {
        const words = new Uint32Array(4)
        philox4x32([block, counter, name[2]!, name[3]!], name, 7, words)
        return new Uint8Array(words.buffer)
      }
      const number = (i: number): number => 256 * bytesOf(Math.floor(i / 16), 0)[i % 16]! + bytesOf(Math.floor(i / 16), 1)[i % 16]!
      expect(mask).toEqual(Uint8Array.from({ length }, (_, i) => Number(number(i) >= Math.round(probability * 65536))))
    }),
  )
})

test.each([0.1, 1 / 256, 0.5, 0.001])('drops as often as asked: %f', (probability) => {
  const mask = new Uint8Array(4_000_000)
  fillKeepMask(mask, probability, 3, 'share')
  const dropped = mask.reduce((total, kept) => total + 1 - kept, 0)
  const exact = Math.round(probability * 65536) / 65536
  // Four standard deviations of a binomial number.
  expect(Math.abs(dropped - exact * mask.length)).toBeLessThan(4 * Math.sqrt(mask.length * exact * (1 - exact)))
})
