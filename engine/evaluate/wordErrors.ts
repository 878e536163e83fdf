/** Errors of a hypothesis against a reference, and how many tokens the reference has. */
export interface ErrorCounts {
  readonly substitutions: number
  readonly deletions: number
  readonly insertions: number
  readonly hits: number
}

export type AlignedPair =
  | { readonly kind: 'hit' | 'substitution'; readonly reference: string; readonly hypothesis: string }
  | { readonly kind: 'deletion'; readonly reference: string }
  | { readonly kind: 'insertion'; readonly hypothesis: string }

export interface Alignment extends ErrorCounts {
  readonly pairs: readonly AlignedPair[]
}

/**
 * Minimum-edit-distance alignment of token sequences (Levenshtein, unit costs). Among equally short ones it prefers, from the end,
 * a hit or substitution, then a deletion, then an insertion.
 */
export const align = (reference: readonly string[], hypothesis: readonly string[]): Alignment => {
  const columns = hypothesis.length + 1
  const distance = new Uint32Array((reference.length + 1) * columns)
  for (let j = 0; j < columns; j++) distance[j] = j
  for (let i = 1; i <= reference.length; i++) {
    distance[i * columns] = i
    for (let j = 1; j < columns; j++) {
      const diagonal = distance[(i - 1) * columns + j - 1]! + (reference[i - 1] === hypothesis[j - 1] ? 0 : 1)
      distance[i * columns + j] = Math.min(diagonal, distance[(i - 1) * columns + j]! + 1, distance[i * columns + j - 1]! + 1)
    }
  }
  const pairs: AlignedPair[] = []
  const counts = { hit: 0, substitution: 0, deletion: 0, insertion: 0 }
  let i = reference.length
  let j = hypothesis.length
  while (i > 0 || j > 0) {
    const here = distance[i * columns + j]!
    const same = i > 0 && j > 0 && reference[i - 1] === hypothesis[j - 1]
    if (i > 0 && j > 0 && here === distance[(i - 1) * columns + j - 1]! + (same ? 0 : 1)) {
      pairs.push({ kind: same ? 'hit' : 'substitution', reference: reference[--i]!, hypothesis: hypothesis[--j]! })
    } else if (i > 0 && here === distance[(i - 1) * columns + j]! + 1) pairs.push({ kind: 'deletion', reference: reference[--i]! })
    else pairs.push({ kind: 'insertion', hypothesis: hypothesis[--j]! })
    counts[pairs.at(-1)!.kind]++
  }
  const { hit: hits, substitution: substitutions, deletion: deletions, insertion: insertions } = counts
  return { substitutions, deletions, insertions, hits, pairs: pairs.reverse() }
}

/** The words of a transcript, split at white space. */
export const wordsOf = (text: string): string[] => text.split(/\s+/u).filter((word) => word !== '')
/** The characters of a transcript with white space collapsed; spaces between words count, as in jiwer. */
export const charactersOf = (text: string): string[] => [...wordsOf(text).join(' ')]

/** Error counts summed over a corpus. */
export class ErrorTally {
  #substitutions = 0
  #deletions = 0
  #insertions = 0
  #hits = 0

  add({ substitutions, deletions, insertions, hits }: ErrorCounts): void {
    this.#substitutions += substitutions
    this.#deletions += deletions
    this.#insertions += insertions
    this.#hits += hits
  }

  /** Tokens of the references. */
  get reference(): number {
    return this.#hits + this.#substitutions + this.#deletions
  }

  /** (substitutions + deletions + insertions) / reference tokens, as a fraction; errors over an empty reference count as if it had one token. */
  get rate(): number {
    return (this.#substitutions + this.#deletions + this.#insertions) / Math.max(1, this.reference)
  }

  toJSON(): { substitutions: number; deletions: number; insertions: number; reference: number } {
    return { substitutions: this.#substitutions, deletions: this.#deletions, insertions: this.#insertions, reference: this.reference }
  }
}

/** Word and character errors of a corpus. */
export class TranscriptTally {
  readonly words = new ErrorTally()
  readonly characters = new ErrorTally()

  add(reference: string, hypothesis: string): void {
    this.words.add(align(wordsOf(reference), wordsOf(hypothesis)))
    this.characters.add(align(charactersOf(reference), charactersOf(hypothesis)))
  }
}
