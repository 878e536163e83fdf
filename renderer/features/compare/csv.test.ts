import { expect, test } from 'vitest'
import { csvOf } from './csv.ts'

test('one line an utterance, quoted where needed, never a formula', () => {
  const utterance = { index: 0, id: '=a.wav', seconds: 1.5, reference: 'say "one", two', hypotheses: ['one', 'two\nthree'] as const, errors: [1, 2] as const, distance: 3, columns: [] }
  expect(csvOf({ utterances: [utterance] }).split('\r\n').slice(1)).toEqual([`'=a.wav,1.5,"say ""one"", two",one,"two\nthree",1,2,3`, ''])
})
