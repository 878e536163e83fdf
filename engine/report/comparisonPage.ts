import type { Column, Comparison, ComparedUtterance, Verdict } from '../contract/index.ts'
import { percent } from './figures.ts'
import { escape, page } from './html.ts'
import { latencySection, table } from './sections.ts'

export interface ComparisonPage {
  readonly comparison: Comparison
  /** What the two models and the data are called. */
  readonly names: readonly [string, string]
  readonly data: string
  /** Utterances that can be heard on the page: WAV bytes by their place in the corpus. */
  readonly sounds: ReadonlyMap<number, Uint8Array>
}

/** Two models side by side as one self-contained HTML page: figures, latency, and every utterance that they heard differently. */
export const comparisonPage = ({ comparison, names, data, sounds }: ComparisonPage): string => {
  const { utterances, latency } = comparison
  const differing = utterances.filter(({ distance }) => distance > 0)
  const minutes = (comparison.audioSeconds / 60).toFixed(1)
  const parts = [
    `<h1>${escape(`${names[0]} and ${names[1]}`)}</h1>`,
    `<p>On ${escape(data)}: ${utterances.length} utterances, ${minutes} min of speech. They differ in ${differing.length}.</p>`,
    modelTable(comparison, names),
    difference(comparison),
    latency === undefined ? '' : latencySection({ points: latency.points.map((point) => ({ ...point, name: names[point.model] })), failures: latency.failures.map((one) => ({ ...one, name: names[one.model] })) }),
    differing.length === 0 ? '' : `<h2>Where they differ</h2><p class="note">Most different first: <span class="wrong">another word</span>, <span class="missing">missing</span>, <span class="added">too much</span>.</p>`,
    ...differing.map((utterance) => block(utterance, names, sounds.get(utterance.index))),
  ]
  return page(`${names[0]} and ${names[1]}`, parts.filter((part) => part !== '').join('\n'))
}

const modelTable = ({ models }: Comparison, names: readonly [string, string]): string =>
  table(
    ['model', 'WER', 'CER', 'real-time factor'],
    models.map(({ wer, cer, realTimeFactor }, i) => [names[i]!, wer === undefined ? '–' : percent(wer), cer === undefined ? '–' : percent(cer), realTimeFactor.toFixed(4)]),
  )

const difference = ({ difference: found }: Comparison): string => {
  if (found === undefined) return '<p class="note">Nobody wrote down what was said: there are differences, and no errors.</p>'
  const points = (value: number): string => `${value > 0 ? '+' : ''}${(100 * value).toFixed(2)}`
  return `<p class="note">Second minus first: ${points(found.difference)} points of WER, ${(100 * found.confidence).toFixed(0)} % interval ${points(found.low)} to ${points(found.high)} (paired bootstrap).</p>`
}

const marks: { readonly [V in Exclude<Verdict, 'hit' | 'absent'>]: string } = { substitution: 'wrong', deletion: 'missing', insertion: 'added' }

const word = ({ reference, heard, verdicts }: Column, model: 0 | 1): string => {
  const verdict = verdicts[model]
  if (verdict === 'absent') return ''
  const text = escape(verdict === 'deletion' ? (reference ?? '') : (heard[model]?.text ?? ''))
  return verdict === 'hit' ? text : `<span class="${marks[verdict]}">${text}</span>`
}

const block = ({ id, reference, columns }: ComparedUtterance, names: readonly [string, string], wav: Uint8Array | undefined): string => {
  const line = (model: 0 | 1): string =>
    columns
      .map((column) => word(column, model))
      .filter((text) => text !== '')
      .join(' ')
  const sound = wav === undefined ? '' : `<dt>hear it</dt><dd><audio controls preload="none" src="data:audio/wav;base64,${Buffer.from(wav).toString('base64')}"></audio></dd>`
  return (
    `<dl class="utterance"><dt>${escape(id)}</dt><dd>${reference === undefined ? '<span class="note">not written down</span>' : escape(reference)}</dd>` +
    `<dt>${escape(names[0])}</dt><dd>${line(0)}</dd><dt>${escape(names[1])}</dt><dd>${line(1)}</dd>${sound}</dl>`
  )
}
