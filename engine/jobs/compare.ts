import type { TextSettings } from '../contract/index.ts'
import { UsageError } from '../errors.ts'
import { align, pairedBootstrap, wordsOf, type PairedDifference } from '../evaluate/index.ts'
import type { ComputeSettings, JobContext } from './context.ts'
import { evaluate, type Evaluation } from './evaluate.ts'

export interface CompareSettings extends ComputeSettings {
  readonly models: readonly [string, string]
  readonly data: string
  readonly batchSeconds: number
  readonly text: TextSettings
  /** Most utterances to list. */
  readonly disagreements: number
}

export interface Disagreement {
  readonly id: string
  readonly reference: string
  /** What each model heard, and its word errors. */
  readonly hypotheses: readonly [string, string]
  readonly errors: readonly [number, number]
  /** Word edits from the one hypothesis to the other. */
  readonly distance: number
}

export interface Comparison {
  readonly models: readonly Pick<Evaluation, 'model' | 'wer' | 'cer' | 'realTimeFactor'>[]
  readonly utterances: number
  /** WER of the second model minus that of the first, with its interval. */
  readonly wer: PairedDifference
  /** Most different first. */
  readonly disagreements: readonly Disagreement[]
}

const edits = (from: string, to: string): number => {
  const { substitutions, deletions, insertions } = align(wordsOf(from), wordsOf(to))
  return substitutions + deletions + insertions
}

/** Two models on the same utterances: their WERs, the difference with a paired bootstrap interval, and where they disagree most. */
export const compare = async ({ models, disagreements, ...settings }: CompareSettings, context: JobContext): Promise<Comparison> => {
  if (models[0] === models[1]) throw new UsageError(`--models: expected two different models, found ${models[0]} twice`)
  const [first, second] = [await evaluate({ ...settings, model: models[0] }, context), await evaluate({ ...settings, model: models[1] }, context)]
  const heard = new Map(second.transcripts.map((transcript) => [transcript.id, transcript.hypothesis]))
  const pairs = first.transcripts.map(({ id, reference, hypothesis }): Disagreement => {
    const other = heard.get(id)!
    return { id, reference, hypotheses: [hypothesis, other], errors: [edits(reference, hypothesis), edits(reference, other)], distance: edits(hypothesis, other) }
  })
  return {
    models: [first, second].map(({ model, wer, cer, realTimeFactor }) => ({ model, wer, cer, realTimeFactor })),
    utterances: pairs.length,
    wer: pairedBootstrap(pairs.map(({ reference, errors: [a, b] }) => ({ a, b, reference: wordsOf(reference).length }))),
    disagreements: pairs
      .filter(({ distance }) => distance > 0)
      .sort((x, y) => y.distance - x.distance || (x.id < y.id ? -1 : 1))
      .slice(0, disagreements),
  }
}
