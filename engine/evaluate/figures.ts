import type { Figures, TaskLosses } from '../contract/index.ts'

/** Figures that models are measured by, most decisive first: which of two models is better is up to the first figure that they have. */
export const figureKinds = {
  wer: { label: 'WER', name: 'word error rate', lowerIsBetter: true },
  accuracy: { label: 'accuracy', name: 'accuracy', lowerIsBetter: false },
  cer: { label: 'CER', name: 'character error rate', lowerIsBetter: true },
} as const
export type FigureName = keyof typeof figureKinds

export const figureNames = Object.keys(figureKinds) as FigureName[]

/** The figure that decides which of two models is better; undefined where none was measured. */
export const decidingFigure = (figures: Figures): FigureName | undefined => figureNames.find((name) => figures[name] !== undefined)

/** Whether figures are better than those of another model at the same task. */
export const isBetter = (figures: Figures, than: Figures): boolean => {
  const name = decidingFigure(figures)
  if (name === undefined) return false
  const [ours, theirs] = [figures[name]!, than[name]]
  return theirs === undefined || (figureKinds[name].lowerIsBetter ? ours < theirs : ours > theirs)
}

/** A model's figures and nothing else of a record that holds them. */
export const figuresOf = ({ wer, cer, accuracy, accuracyOf }: Figures): Figures => ({
  ...(wer === undefined ? {} : { wer }),
  ...(cer === undefined ? {} : { cer }),
  ...(accuracy === undefined ? {} : { accuracy }),
  ...(accuracyOf === undefined ? {} : { accuracyOf }),
})

/** How a task's loss is called; a third task adds its own. */
const lossKinds: { readonly [L in keyof TaskLosses]-?: { readonly label: string; readonly name: string } } = {
  ctc: { label: 'ctc', name: 'CTC loss per character' },
  crossEntropy: { label: 'cross entropy', name: 'cross entropy per label' },
}

/** The task's own loss of an update. */
export const taskLossOf = (losses: TaskLosses): { readonly label: string; readonly name: string; readonly value: number } => {
  const kind = (Object.keys(lossKinds) as (keyof TaskLosses)[]).find((key) => losses[key] !== undefined) ?? 'ctc'
  return { ...lossKinds[kind], value: losses[kind] ?? NaN }
}
