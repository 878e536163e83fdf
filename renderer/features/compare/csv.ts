import type { Comparison } from '../../../engine/contract/index.ts'

/** A cell by RFC 4180; what a spreadsheet would take for a formula is led by an apostrophe. */
const cell = (value: string | number): string => {
  const text = typeof value === 'string' && /^[=+\-@]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A comparison's utterances, one a line. */
export const csvOf = ({ utterances }: Pick<Comparison, 'utterances'>): string =>
  [
    ['utterance', 'seconds', 'said', 'first', 'second', 'errors of first', 'errors of second', 'words that differ'],
    ...utterances.map(({ id, seconds, reference, hypotheses, errors, distance }) => [id, seconds, reference ?? '', ...hypotheses, ...(errors ?? ['', '']), distance]),
  ]
    .map((row) => `${row.map(cell).join(',')}\r\n`)
    .join('')
