import { describe, expect, it } from 'vitest'
import { completeVocabulary, preprocessorOf } from './tokenizerFiles.ts'

describe('completeVocabulary', () => {
  const own = { A: 0, '|': 1, '[UNK]': 2, '[PAD]': 3 }
  const tokenizer = { added_tokens_decoder: { 3: { content: '[PAD]', special: false }, 5: { content: '</s>' } } }

  it('takes in the tokens that HF keeps in other files', () => {
    expect(completeVocabulary(own, { '<s>': 4 }, tokenizer, 6, 'model')).toEqual({ ...own, '<s>': 4, '</s>': 5 })
  })

  it('leaves out those beyond the outputs of the head, and keeps what is no vocabulary as it is', () => {
    expect(completeVocabulary(own, { '<s>': 4, '</s>': 5 }, undefined, 4, 'model')).toEqual(own)
    expect(completeVocabulary(undefined, { '<s>': 4 }, tokenizer, 6, 'model')).toBeUndefined()
    expect(completeVocabulary({ eng: { A: 0 } }, undefined, undefined, 6, 'model')).toEqual({ eng: { A: 0 } })
  })
})

describe('preprocessorOf', () => {
  it('finds the feature extractor where newer versions of transformers keep it', () => {
    expect(preprocessorOf(undefined, { feature_extractor: { do_normalize: false } }, 'model')).toEqual({ do_normalize: false })
    expect(preprocessorOf({ do_normalize: true }, { feature_extractor: { do_normalize: false } }, 'model')).toEqual({ do_normalize: true })
    expect(preprocessorOf(undefined, undefined, 'model')).toBeUndefined()
  })
})
