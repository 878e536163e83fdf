import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { HeardWord } from '../contract/index.ts'
import { columnsOf, columnsOfPair } from './columns.ts'
import { align } from './wordErrors.ts'

const heard = (text: string): HeardWord[] => text.split(' ').filter((word) => word !== '').map((word, i) => ({ text: word, start: i, end: i + 0.5 }))
const words = fc.array(fc.constantFrom('one', 'two', 'three', 'four'), { maxLength: 7 })

test('two hypotheses over one reference', () => {
  const columns = columnsOf(['one', 'two', 'three'], heard('one four three'), heard('zero one two'))
  expect(columns.map(({ reference, heard: [a, b], verdicts }) => [reference, a?.text, b?.text, ...verdicts])).toEqual([
    [undefined, undefined, 'zero', 'absent', 'insertion'],
    ['one', 'one', 'one', 'hit', 'hit'],
    ['two', 'four', 'two', 'substitution', 'hit'],
    ['three', 'three', undefined, 'hit', 'deletion'],
  ])
})

test('every word stands in one column, in order, and the verdicts count the errors', () => {
  fc.assert(
    fc.property(words, words, words, (reference, a, b) => {
      const columns = columnsOf(reference, heard(a.join(' ')), heard(b.join(' ')))
      expect(columns.flatMap((column) => column.reference ?? [])).toEqual(reference)
      for (const [m, hypothesis] of [a, b].entries()) {
        expect(columns.flatMap((column) => column.heard[m]?.text ?? [])).toEqual(hypothesis)
        const { substitutions, deletions, insertions } = align(reference, hypothesis)
        const count = (verdict: string): number => columns.filter(({ verdicts }) => verdicts[m] === verdict).length
        expect([count('substitution'), count('deletion'), count('insertion')]).toEqual([substitutions, deletions, insertions])
      }
    }),
  )
})

test('without a reference each word of either stands in one column, in order, and as many columns differ as words have to be edited', () => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      const columns = columnsOfPair(heard(a.join(' ')), heard(b.join(' ')))
      expect(columns.flatMap((column) => column.heard[0]?.text ?? [])).toEqual(a)
      expect(columns.flatMap((column) => column.heard[1]?.text ?? [])).toEqual(b)
      const { substitutions, deletions, insertions } = align(a, b)
      expect(columns.filter(({ verdicts }) => verdicts[0] !== 'hit').length).toBe(substitutions + deletions + insertions)
      for (const { heard: [x, y], verdicts } of columns) expect(verdicts[0] === 'hit').toBe(x?.text === y?.text)
    }),
  )
})
