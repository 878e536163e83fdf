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

test('a mask is its stream, sixteen bits an element, whatever its length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (length, probability, seed) => {
      const mask = new Uint8Array(length)
      fillKeepMask(mask, probability, seed, 'dropout', 7, 'site')
      const name = stream(seed, ['dropout', 7, 'site', 'mask'])
      const [block, lanes] = [new Uint32Array(4), new Uint16Array(8)]
      const expected = Uint8Array.from({ length }, (_, i) => {
        if (i % 8 === 0) {
          philox4x32([i / 8, 0, name[2]!, name[3]!], name, 7, block)
          lanes.set(new Uint16Array(block.buffer))
        }
        return Number(lanes[i % 8]! >= Math.round(probability * 65536))
      })
      expect(mask).toEqual(expected)
    }),
  )
})
