/** What a run said of the time left, and when. Both in seconds; `at` on any clock. */
export interface Said {
  readonly secondsLeft: number
  readonly at: number
}

/**
 * Seconds left now: those that were said, less those that have passed since. So it goes on falling while nothing is said, during an evaluation say; a new word that differs little moves it
 * only by a part, so that it does not jump with every update.
 */
export const heard = (before: Said | undefined, said: Said): Said => {
  if (before === undefined) return said
  const expected = leftNow(before, said.at)
  const differs = Math.abs(said.secondsLeft - expected)
  const share = differs > 0.25 * Math.max(expected, said.secondsLeft) ? 1 : 0.2
  return { secondsLeft: expected + share * (said.secondsLeft - expected), at: said.at }
}

export const leftNow = ({ secondsLeft, at }: Said, now: number): number => Math.max(0, secondsLeft - (now - at))
