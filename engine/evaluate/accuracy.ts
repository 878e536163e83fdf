/** Right answers in each of several label sets, and in all of them at once. */
export class AccuracyTally {
  readonly #right: number[]
  #joint = 0
  #total = 0

  constructor(sets: number) {
    this.#right = new Array<number>(sets).fill(0)
  }

  /** One utterance: the numbers of its labels, and of those that were heard. */
  add(reference: Int32Array, hypothesis: Int32Array): void {
    const hits = this.#right.map((_, set) => reference[set] === hypothesis[set])
    hits.forEach((hit, set) => (this.#right[set]! += hit ? 1 : 0))
    this.#joint += hits.every(Boolean) ? 1 : 0
    this.#total++
  }

  get total(): number {
    return this.#total
  }

  /** Right answers of each set. */
  get right(): readonly number[] {
    return this.#right
  }

  /** Share of the utterances whose labels are all right. */
  get joint(): number {
    return this.#joint / Math.max(1, this.#total)
  }
}

/** The number of the largest logit, the first on ties, as torch.argmax. */
export const largest = (logits: Float32Array): number => logits.reduce((best, value, i) => (value > logits[best]! ? i : best), 0)
