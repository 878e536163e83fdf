import type { Figures, TextSettings } from '../contract/index.ts'
import { UsageError } from '../errors.ts'
import { align, decidingFigure, figureKinds, figuresOf, pairedBootstrap, wordsOf, type FigureName, type PairedDifference } from '../evaluate/index.ts'
import { openReadyModel, type ComputeSettings, type JobContext } from './context.ts'
import { evaluate, type Evaluation } from './evaluate.ts'

export interface CompareSettings extends ComputeSettings {
  readonly models: readonly [string, string]
  readonly data: string
  readonly batchSeconds: number
  readonly text: TextSettings
  readonly labels?: readonly string[] | undefined
  /** Most utterances to list. */
  readonly disagreements: number
}

export interface Disagreement {
  readonly id: string
  readonly reference: string
  /** What each model heard, and its errors: of words, or 1 for an utterance with a wrong label. */
  readonly hypotheses: readonly [string, string]
  readonly errors: readonly [number, number]
  /** Word edits from the one hypothesis to the other. */
  readonly distance: number
}

export interface Comparison {
  readonly models: readonly (Figures & Pick<Evaluation, 'model' | 'realTimeFactor'>)[]
  readonly utterances: number
  /** The figure that decides, of the second model minus that of the first, with its interval. */
  readonly figure: FigureName
  readonly wer?: PairedDifference
  readonly accuracy?: PairedDifference
  /** Most different first. */
  readonly disagreements: readonly Disagreement[]
}

const edits = (from: string, to: string): number => {
  const { substitutions, deletions, insertions } = align(wordsOf(from), wordsOf(to))
  return substitutions + deletions + insertions
}

/** Of a share of right answers instead of errors: the same difference with its sign turned. */
const ofRightAnswers = ({ difference, low, high, ...rest }: PairedDifference): PairedDifference => ({ ...rest, difference: -difference, low: -high, high: -low })

/** Two models on the same utterances: their figures, the difference with a paired bootstrap interval, and where they disagree most. */
export const compare = async ({ models, disagreements, ...settings }: CompareSettings, context: JobContext): Promise<Comparison> => {
  if (models[0] === models[1]) throw new UsageError(`--models: expected two different models, found ${models[0]} twice`)
  // A second model that does not open is said before the first one has been evaluated for an hour.
  for (const model of models) await openReadyModel(model)
  const [first, second] = [await evaluate({ ...settings, model: models[0] }, context), await evaluate({ ...settings, model: models[1] }, context)]
  const figure = decidingFigure(first)!
  if (decidingFigure(second) !== figure) throw new UsageError(`--models: expected two models of one task, found ${models[0]}, measured by ${figureKinds[figure].label}, and ${models[1]}, by ${figureKinds[decidingFigure(second)!].label}`)
  const byWords = figure === 'wer'
  const errorsOf = (reference: string, hypothesis: string): number => (byWords ? edits(reference, hypothesis) : Number(reference !== hypothesis))
  const heard = new Map(second.transcripts.map((transcript) => [transcript.id, transcript.hypothesis]))
  const pairs = first.transcripts.map(({ id, reference, hypothesis }): Disagreement => {
    const other = heard.get(id)!
    return { id, reference, hypotheses: [hypothesis, other], errors: [errorsOf(reference, hypothesis), errorsOf(reference, other)], distance: errorsOf(hypothesis, other) }
  })
  const difference = pairedBootstrap(pairs.map(({ reference, errors: [a, b] }) => ({ a, b, reference: byWords ? wordsOf(reference).length : 1 })))
  return {
    models: [first, second].map((evaluation) => ({ model: evaluation.model, ...figuresOf(evaluation), realTimeFactor: evaluation.realTimeFactor })),
    utterances: pairs.length,
    figure,
    [figure]: byWords ? difference : ofRightAnswers(difference),
    disagreements: pairs
      .filter(({ distance }) => distance > 0)
      .sort((x, y) => y.distance - x.distance || (x.id < y.id ? -1 : 1))
      .slice(0, disagreements),
  }
}
