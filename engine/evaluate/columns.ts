import type { Column, HeardWord, Verdict } from '../contract/index.ts'
import { align } from './wordErrors.ts'

/** What stands at one place of the reference, and what was inserted before it. */
interface Place {
  readonly inserted: HeardWord[]
  heard: HeardWord | undefined
  verdict: Verdict
}

const placesOf = (reference: readonly string[], heard: readonly HeardWord[]): Place[] => {
  const places: Place[] = Array.from({ length: reference.length + 1 }, () => ({ inserted: [], heard: undefined, verdict: 'absent' }))
  let [r, h] = [0, 0]
  for (const { kind } of align(reference, heard.map(({ text }) => text)).pairs) {
    if (kind === 'insertion') places[r]!.inserted.push(heard[h++]!)
    else {
      const place = places[r++]!
      place.verdict = kind
      if (kind !== 'deletion') place.heard = heard[h++]!
    }
  }
  return places
}

/** Two hypotheses laid over one reference, word by word; each word of the three stands in exactly one column, in its order. */
export const columnsOf = (reference: readonly string[], first: readonly HeardWord[], second: readonly HeardWord[]): Column[] => {
  const [a, b] = [placesOf(reference, first), placesOf(reference, second)]
  const columns: Column[] = []
  for (let r = 0; r <= reference.length; r++) {
    const [x, y] = [a[r]!, b[r]!]
    for (let i = 0; i < Math.max(x.inserted.length, y.inserted.length); i++) {
      const heard = [x.inserted[i], y.inserted[i]] as const
      columns.push({ reference: undefined, heard, verdicts: [heard[0] === undefined ? 'absent' : 'insertion', heard[1] === undefined ? 'absent' : 'insertion'] })
    }
    if (r < reference.length) columns.push({ reference: reference[r]!, heard: [x.heard, y.heard], verdicts: [x.verdict, y.verdict] })
  }
  return columns
}

/** Two hypotheses side by side where there is no reference. */
export const columnsOfPair = (first: readonly HeardWord[], second: readonly HeardWord[]): Column[] => {
  let [a, b] = [0, 0]
  return align(first.map(({ text }) => text), second.map(({ text }) => text)).pairs.map(({ kind }): Column => {
    const heard = [kind === 'insertion' ? undefined : first[a++]!, kind === 'deletion' ? undefined : second[b++]!] as const
    const verdicts: Column['verdicts'] = kind === 'insertion' ? ['absent', 'insertion'] : kind === 'deletion' ? ['insertion', 'absent'] : [kind, kind]
    return { reference: undefined, heard, verdicts }
  })
}
