import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFixture } from '../../fixtures/read.ts'
import { align, charactersOf, ErrorTally, greedyDecode, TranscriptTally, wordsOf } from './index.ts'

/** Edit distance straight from its definition. */
const distance = (a: readonly string[], b: readonly string[]): number => {
  if (a.length === 0 || b.length === 0) return a.length + b.length
  const [x, ...restA] = a
  const [y, ...restB] = b
  if (x === y) return distance(restA, restB)
  return 1 + Math.min(distance(restA, restB), distance(restA, b), distance(a, restB))
}

describe('align', () => {
  const tokens = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 })

  it('has the edit distance, and counts that add up to both lengths', () => {
    fc.assert(
      fc.property(tokens, tokens, (reference, hypothesis) => {
        const { hits, substitutions, deletions, insertions, pairs } = align(reference, hypothesis)
        expect(substitutions + deletions + insertions).toBe(distance(reference, hypothesis))
        expect(hits + substitutions + deletions).toBe(reference.length)
        expect(hits + substitutions + insertions).toBe(hypothesis.length)
        expect(pairs.flatMap((pair) => ('reference' in pair ? [pair.reference] : []))).toEqual(reference)
        expect(pairs.flatMap((pair) => ('hypothesis' in pair ? [pair.hypothesis] : []))).toEqual(hypothesis)
        for (const pair of pairs) if (pair.kind === 'hit') expect(pair.reference).toBe(pair.hypothesis)
      }),
    )
  })

  it('tells the errors apart', () => {
    expect(align(wordsOf('a b c'), wordsOf('a x c'))).toMatchObject({ hits: 2, substitutions: 1, deletions: 0, insertions: 0 })
    expect(align(wordsOf('a b c d'), wordsOf('b c d'))).toMatchObject({ hits: 3, substitutions: 0, deletions: 1, insertions: 0 })
    expect(align(wordsOf('a b'), wordsOf('a b a'))).toMatchObject({ hits: 2, substitutions: 0, deletions: 0, insertions: 1 })
  })
})

describe('ErrorTally', () => {
  it('is total errors over total reference words, not a mean of rates', () => {
    const tally = new TranscriptTally()
    tally.add('ONE', 'TWO')
    tally.add('ONE TWO THREE', ' ONE  TWO THREE ')
    expect(tally.words.rate).toBe(1 / 4)
    // ONE → TWO: O deleted, N … : distance 3 of 3 + 13 characters
    expect(tally.characters.toJSON()).toMatchObject({ reference: 16 })
    expect(tally.characters.rate).toBe(distance(charactersOf('ONE'), charactersOf('TWO')) / 16)
  })

  it('counts insertions into an empty reference', () => {
    const tally = new ErrorTally()
    tally.add(align([], ['a', 'b']))
    expect(tally.rate).toBe(2)
    expect(tally.toJSON()).toEqual({ substitutions: 0, deletions: 0, insertions: 2, reference: 0 })
  })
})

describe('rates', () => {
  const cases = readFixture<{ references: string[]; hypotheses: string[]; wer: number; cer: number }>('word_errors')
  it(`are jiwer's, of ${cases.length} utterances and corpora`, () => {
    for (const { references, hypotheses, wer, cer } of cases) {
      const tally = new TranscriptTally()
      references.forEach((reference, i) => { tally.add(reference, hypotheses[i]!); })
      expect(tally.words.rate).toBeCloseTo(wer, 12)
      expect(tally.characters.rate).toBeCloseTo(cer, 12)
    }
  })
})

describe('greedyDecode', () => {
  const logits = (labels: readonly number[], size = 4): Float32Array => Float32Array.from(labels.flatMap((label) => Array.from({ length: size }, (_, v) => Number(v === label))))

  it.each([
    [[1, 1, 0, 1, 2, 2, 0, 0], 0, [1, 1, 2]],
    [[3, 1, 3, 3, 1, 1], 3, [1, 1]],
    [[0, 0], 0, []],
  ])('collapses %j with blank %i', (labels, blank, expected) => {
    expect([...greedyDecode(logits(labels), labels.length, 4, blank)]).toEqual(expected)
  })

  it('takes the first of equal logits', () => {
    expect([...greedyDecode(Float32Array.of(0, 1, 1), 1, 3, 0)]).toEqual([1])
  })
})
