import { labelNumbers } from '../../datasets/index.ts'
import { AccuracyTally, largest } from '../../evaluate/index.ts'
import type { LabelSet } from '../../models/index.ts'
import { classificationObjective } from '../objectives/index.ts'
import { byId, type Tally, type Task, type Transcribed } from './task.ts'

/** Telling which label of each set an utterance has: cross entropy, accuracy of each set and of all at once. `fields` are the manifest's names of the sets. */
export const classification = (sets: readonly LabelSet[], fields: readonly string[]): Task => {
  const sizes = sets.map(({ labels }) => labels.length)
  const width = sizes.reduce((a, b) => a + b, 0)
  const targetOf: Task['targetOf'] = (utterance) => labelNumbers(utterance, sets, fields)
  const inWords = (numbers: Int32Array): string => sets.map(({ labels }, set) => labels[numbers[set]!]!).join(' ')
  /** The best label of each set in one row of logits. */
  const heard = (row: Float32Array): Int32Array => {
    let start = 0
    return Int32Array.from(sizes, (size) => largest(row.subarray(start, (start += size))))
  }
  return {
    loss: 'crossEntropy',
    objective: classificationObjective(sizes),
    record: { labels: Object.fromEntries(sets.map(({ name, labels }, set) => [name, { field: fields[set], labels }])) },
    check: (utterances) => { utterances.forEach(targetOf); },
    targetOf,
    tally: (): Tally => {
      const tally = new AccuracyTally(sets.length)
      const transcribed: Transcribed[] = []
      const perSet = <T>(of: (right: number) => T): Record<string, T> => Object.fromEntries(sets.map(({ name }, set) => [name, of(tally.right[set]!)]))
      return {
        add: ({ logits }, utterances) => {
          utterances.forEach((utterance, b) => {
            const [reference, hypothesis] = [targetOf(utterance), heard(logits.subarray(b * width, (b + 1) * width))]
            tally.add(reference, hypothesis)
            transcribed.push({ id: utterance.id, reference: inWords(reference), hypothesis: inWords(hypothesis) })
          })
        },
        figures: () => ({ accuracy: tally.joint, accuracyOf: perSet((right) => right / Math.max(1, tally.total)) }),
        counts: () => ({ labels: perSet((right) => ({ right, total: tally.total })) }),
        transcribed: () => byId(transcribed),
      }
    },
  }
}
