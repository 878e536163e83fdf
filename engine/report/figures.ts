import type { Figures } from '../contract/index.ts'
import { figureKinds, figureNames } from '../evaluate/index.ts'

/** How figures are written wherever people read them. */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`
export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

/** `WER 1.20 %, CER 0.40 %`, or `accuracy 95.00 % (scenario 97.00 %, action 96.00 %)`. */
export const figuresInWords = (figures: Figures): string => {
  const sets = Object.entries(figures.accuracyOf ?? {})
  const ofSets = sets.length < 2 ? '' : ` (${sets.map(([name, value]) => `${name} ${percent(value)}`).join(', ')})`
  return figureNames
    .flatMap((name) => (figures[name] === undefined ? [] : [`${figureKinds[name].label} ${percent(figures[name])}${name === 'accuracy' ? ofSets : ''}`]))
    .join(', ')
}
