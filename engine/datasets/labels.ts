import { ManifestError } from '../errors.ts'
import type { LabelSet } from '../models/index.ts'
import type { Utterance } from './utterance.ts'

/** An utterance's label in a field of its manifest line; ManifestError with file and line when it has none. */
const labelOf = (utterance: Utterance, field: string): string => {
  const label = utterance.fields[field]
  if (label === undefined || label === '') throw new ManifestError(`${utterance.where}: expected ${JSON.stringify(field)} (--labels), found none`)
  return label
}

/** The label sets that training data has in some fields, labels in code point order. ManifestError with file and line where one is missing. */
export const labelSetsIn = (utterances: readonly Utterance[], fields: readonly string[]): LabelSet[] =>
  fields.map((name) => ({ name, labels: [...new Set(utterances.map((utterance) => labelOf(utterance, name)))].sort() }))

/** How many labels a message lists before it stops. */
const listed = 8

/** The number of an utterance's label in each set, read from the field of the same place; ManifestError with file and line for a label that is missing or not in its set. */
export const labelNumbers = (utterance: Utterance, sets: readonly LabelSet[], fields: readonly string[]): Int32Array =>
  Int32Array.from(sets, ({ labels }, set) => {
    const field = fields[set]!
    const label = labelOf(utterance, field)
    const number = labels.indexOf(label)
    if (number >= 0) return number
    const known = `${labels.slice(0, listed).join(', ')}${labels.length > listed ? ', …' : ''}`
    throw new ManifestError(`${utterance.where}: ${field}: expected one of the ${labels.length} labels that the model knows (${known}), found ${JSON.stringify(label)}`)
  })
