import { basename } from 'node:path'
import type { DataFacts, GuidanceChoice } from '../contract/index.ts'
import { readCorpus } from '../datasets/index.ts'
import { guidanceNames } from '../contract/index.ts'
import { recordingSeconds } from '../audio/index.ts'
import { guidanceWays } from '../distill/index.ts'
import { messageOf } from '../errors.ts'

/** The ways of guiding, as a front end offers them. */
export const guidanceChoices = (): GuidanceChoice[] => guidanceNames.map((name) => ({ name, startsFrom: guidanceWays[name].startsFrom, when: guidanceWays[name].when }))

const bars = 12
const mostWarnings = 20

/** Hours, speakers and durations of a corpus, and what a training would refuse or should know. Errors of the manifest itself are thrown. */
export const describeData = async (path: string): Promise<DataFacts> => {
  const utterances = await readCorpus(path)
  const durations = utterances.map(({ duration }) => duration)
  const warnings: string[] = []
  for (const { audioPath, where, duration, offset } of utterances) {
    const seconds = await recordingSeconds(audioPath).catch((error: unknown) => messageOf(error))
    if (typeof seconds === 'string') warnings.push(`${basename(where)}: ${seconds}`)
    else if ((offset ?? 0) + duration > seconds + 0.05) warnings.push(`${basename(where)}: expected at most ${seconds.toFixed(2)} s, the recording's length, found a stretch to ${((offset ?? 0) + duration).toFixed(2)} s`)
  }
  const silent = utterances.filter(({ text }) => text === undefined || text.trim() === '').length
  if (silent > 0) warnings.push(`${silent} of ${utterances.length} utterances have no transcript; training and comparing need one`)
  const long = durations.filter((seconds) => seconds > 30).length
  if (long > 0) warnings.push(`${long} utterances are longer than 30 s; they need the most memory`)
  const more = warnings.length - mostWarnings
  return {
    utterances: utterances.length,
    seconds: durations.reduce((a, b) => a + b, 0),
    speakers: new Set(utterances.flatMap(({ speaker }) => speaker ?? [])).size,
    histogram: histogramOf(durations),
    warnings: more > 0 ? [...warnings.slice(0, mostWarnings), `and ${more} more`] : warnings,
  }
}

/** At most a dozen bars of equal, round width from 0 to the longest. */
const histogramOf = (durations: readonly number[]): DataFacts['histogram'] => {
  const longest = Math.max(...durations)
  const width = [0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800].find((one) => longest / one < bars) ?? longest / (bars - 1)
  const counts = new Array<number>(Math.floor(longest / width) + 1).fill(0)
  for (const seconds of durations) counts[Math.floor(seconds / width)]!++
  return counts.map((count, i) => ({ from: i * width, to: (i + 1) * width, count }))
}
