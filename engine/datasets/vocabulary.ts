import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { TextSettings } from '../contract/index.ts'
import { wrongField } from '../checkpoint/index.ts'
import { ConfigError, VocabularyError } from '../errors.ts'

/** A token is its text, or what transformers writes of a token that was added. */
const token = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])

const tokenOr = (usual: string) => token.nullish().transform((given) => given ?? usual)

const tokenizerSchema = z.looseObject({
  pad_token: tokenOr('<pad>'),
  unk_token: tokenOr('<unk>'),
  word_delimiter_token: tokenOr('|'),
})

/** ConfigError names the field of the tokenizer_config.json beside a vocab.json that is not what it should be. */
const parseTokenizer = (tokenizer: unknown, vocabularyPath: string): z.infer<typeof tokenizerSchema> => {
  const parsed = tokenizerSchema.safeParse(tokenizer ?? {})
  if (parsed.success) return parsed.data
  const expected = (field: string): string | undefined => (field.endsWith('token') ? "expected a token's text" : undefined)
  throw new ConfigError(`${join(dirname(vocabularyPath), 'tokenizer_config.json')}: ${wrongField(parsed.error, tokenizer, expected)}`)
}

const specialTokens = ['<pad>', '<s>', '</s>', '<unk>'] as const

/**
 * CTC labels. Text is brought to NFC and to the vocabulary's case (or the case asked for); runs of white space become one word
 * delimiter, those at the ends vanish; a character outside the vocabulary is an error, the unknown token, or dropped, as settings say.
 */
export class Vocabulary {
  readonly size: number
  /** The blank of CTC: the pad token. */
  readonly blank: number
  readonly #ids: ReadonlyMap<string, number>
  readonly #tokens: readonly string[]
  /** What stands between words. */
  readonly delimiter: string
  readonly #unknown: number | undefined

  private constructor(ids: ReadonlyMap<string, number>, tokenizer: z.infer<typeof tokenizerSchema>, path: string) {
    this.#ids = ids
    this.size = ids.size
    this.#tokens = [...ids.keys()].sort((a, b) => ids.get(a)! - ids.get(b)!)
    const blank = ids.get(tokenizer.pad_token)
    if (blank === undefined) throw new VocabularyError(`${path}: expected the pad token ${JSON.stringify(tokenizer.pad_token)} (CTC's blank), found none`)
    this.blank = blank
    this.delimiter = tokenizer.word_delimiter_token
    this.#unknown = ids.get(tokenizer.unk_token)
  }

  /** From the contents of vocab.json and tokenizer_config.json; VocabularyError unless ids are 0 to n − 1, each once. */
  static parse(vocabulary: unknown, tokenizer: unknown, path: string): Vocabulary {
    const parsed = z.record(z.string(), z.int().nonnegative()).safeParse(vocabulary)
    if (!parsed.success) throw new VocabularyError(`${path}: ${vocabulary === undefined ? 'expected an object of token: id, found no file' : wrongField(parsed.error, vocabulary, () => 'expected an object of token: id')}`)
    const ids = new Map(Object.entries(parsed.data))
    const used = new Map<number, string>()
    for (const [token, id] of ids) {
      const other = used.get(id)
      if (other !== undefined) throw new VocabularyError(`${path}: expected every id once, found ${id} for both ${JSON.stringify(other)} and ${JSON.stringify(token)}`)
      if (id >= ids.size) throw new VocabularyError(`${path}: expected ids below ${ids.size}, the number of tokens, found ${id} for ${JSON.stringify(token)}`)
      used.set(id, token)
    }
    return new Vocabulary(ids, parseTokenizer(tokenizer, path), path)
  }

  /** HF's special tokens, the word delimiter, then the characters of the texts in code point order. */
  static fromTexts(texts: readonly string[], letterCase: 'upper' | 'lower' | 'keep'): Vocabulary {
    const characters = new Set(texts.flatMap((text) => [...inCase(text.normalize('NFC'), letterCase)].filter((character) => !/\s/u.test(character))))
    characters.delete('|')
    const tokens = [...specialTokens, '|', ...[...characters].sort()]
    return new Vocabulary(new Map(tokens.map((token, id) => [token, id])), tokenizerSchema.parse({}), 'the transcripts')
  }

  /** vocab.json. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#tokens.map((token, id) => [token, id]))
  }

  /** Labels of a transcript; `where` names it in the VocabularyError about a character that has none. */
  encode(text: string, settings: TextSettings, where: string): Int32Array {
    const words = inCase(text.normalize('NFC'), this.#caseFor(settings.case)).split(/\s+/u).filter((word) => word !== '')
    const labels: number[] = []
    for (const character of words.join(this.delimiter)) {
      const id = this.#ids.get(character)
      if (id !== undefined) labels.push(id)
      else if (settings.unknown === 'unk' && this.#unknown !== undefined) labels.push(this.#unknown)
      else if (settings.unknown !== 'drop') {
        throw new VocabularyError(`${where}: expected characters of the vocabulary, found ${JSON.stringify(character)} (--unknown-characters unk or drop accepts it)`)
      }
    }
    return Int32Array.from(labels)
  }

  /** Text of decoded labels: delimiters become spaces, special tokens vanish. */
  decodeIds(ids: Int32Array): string {
    let text = ''
    for (const id of ids) {
      const token = this.#tokens[id]!
      if (token === this.delimiter) text += ' '
      else if ([...token].length === 1) text += token
    }
    return text.replace(/\s+/gu, ' ').trim()
  }

  /** The words of decoded labels, and which labels each is made of: from `first` to `last`. */
  wordsIn(ids: Int32Array): { text: string; first: number; last: number }[] {
    const words: { text: string; first: number; last: number }[] = []
    let open: { text: string; first: number; last: number } | undefined
    for (const [i, id] of ids.entries()) {
      const token = this.#tokens[id]!
      if (token === this.delimiter || /^\s+$/u.test(token)) open = undefined
      else if ([...token].length === 1) {
        if (open === undefined) words.push((open = { text: token, first: i, last: i }))
        else Object.assign(open, { text: open.text + token, last: i })
      }
    }
    return words
  }

  /** A reference transcript as this vocabulary would spell it, for comparison with a hypothesis. */
  normalise(text: string, settings: TextSettings): string {
    return inCase(text.normalize('NFC'), this.#caseFor(settings.case)).replace(/\s+/gu, ' ').trim()
  }

  #caseFor(letterCase: TextSettings['case']): 'upper' | 'lower' | 'keep' {
    if (letterCase !== 'auto') return letterCase
    const letters = this.#tokens.filter((token) => [...token].length === 1)
    const upper = letters.some((letter) => letter !== letter.toLowerCase())
    const lower = letters.some((letter) => letter !== letter.toUpperCase())
    return upper === lower ? 'keep' : upper ? 'upper' : 'lower'
  }
}

const inCase = (text: string, letterCase: 'upper' | 'lower' | 'keep'): string =>
  letterCase === 'keep' ? text : letterCase === 'upper' ? text.toUpperCase() : text.toLowerCase()

/** VocabularyError when a model's head does not have one logit a token. */
export const requireFit = (vocabulary: Vocabulary, logits: number, path: string): void => {
  if (vocabulary.size !== logits) throw new VocabularyError(`${path}: expected ${logits} tokens, one for each output of the CTC head, found ${vocabulary.size}`)
}
