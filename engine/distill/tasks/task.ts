import type { Figures, TaskLosses } from '../../contract/index.ts'
import type { Utterance } from '../../datasets/index.ts'
import type { InferenceResult } from '../../models/index.ts'
import type { Objective } from '../objectives/index.ts'

/**
 * What a model is for: the targets that utterances have, the loss on them, and what its answers are worth. Which of two models is
 * better follows from their figures (evaluate/figures.ts). To add one, write a file like its neighbours and enter it in the table of index.ts.
 */
export interface Task {
  /** What its loss is called where losses are recorded. */
  readonly loss: keyof TaskLosses
  readonly objective: Objective
  /** What run.json says about it; a resumed run must have the same. */
  readonly record: Readonly<Record<string, unknown>>
  /** Errors with file and line unless every utterance can be evaluated. */
  readonly check: (utterances: readonly Utterance[]) => void
  /** What an utterance should come out as, as the objective takes it. Errors with file and line. */
  readonly targetOf: (utterance: Utterance) => Int32Array
  readonly tally: () => Tally
}

/** Answers over a corpus, and what they are worth. */
export interface Tally {
  /** Takes the logits of a batch. */
  readonly add: (result: InferenceResult, utterances: readonly Utterance[]) => void
  readonly figures: () => Figures
  /** The counts behind the figures. */
  readonly counts: () => Readonly<Record<string, unknown>>
  /** In the order of their ids. */
  readonly transcribed: () => Transcribed[]
}

/** What was said (or which labels an utterance has), and what was heard. */
export interface Transcribed {
  readonly id: string
  readonly reference: string
  readonly hypothesis: string
}

export const byId = (transcribed: readonly Transcribed[]): Transcribed[] => [...transcribed].sort((a, b) => (a.id < b.id ? -1 : 1))
