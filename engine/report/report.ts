import type { Figures } from '../contract/index.ts'
import type { Transcribed } from '../distill/index.ts'
import { align, decidingFigure, figureKinds, figureNames, taskLossOf, wordsOf, type AlignedPair, type FigureName } from '../evaluate/index.ts'
import { lineChart, smoothed, type Series } from './chart.ts'
import { percent } from './figures.ts'
import { heatStrip } from './heatStrip.ts'
import { escape, page } from './html.ts'
import type { RunRecord } from './runRecord.ts'
import { latencySection, table, type Latency } from './sections.ts'

/** One line of the table: a model and what it was measured at. Fractions; absent figures were not measured. */
export interface ReportRow extends Figures {
  readonly name: string
  readonly parameters: number | undefined
  readonly realTimeFactor: number | undefined
  readonly note?: string
}

export interface Report {
  readonly title: string
  /** A sentence or two under the title. */
  readonly summary: string
  readonly rows: readonly ReportRow[]
  readonly runs: readonly RunRecord[]
  /** The same utterances as each model wrote them down. */
  readonly transcripts: readonly { readonly name: string; readonly utterances: readonly Transcribed[] }[]
  readonly latency: Latency | undefined
}

const optional = (value: number | undefined, format: (value: number) => string): string => (value === undefined ? '–' : format(value))

/** The whole report as one self-contained HTML page. */
export const reportPage = (report: Report): string =>
  page(
    report.title,
    [`<h1>${escape(report.title)}</h1><p>${escape(report.summary)}</p>`, modelTable(report.rows), report.latency === undefined ? '' : latencySection(report.latency), curves(report.runs), utterances(report.transcripts), settings(report.runs)]
      .filter((part) => part !== '')
      .join('\n'),
  )

const modelTable = (rows: readonly ReportRow[]): string => {
  const figures = figureNames.filter((figure) => rows.some((row) => row[figure] !== undefined))
  const each = new Set(rows.flatMap(({ accuracyOf }) => Object.keys(accuracyOf ?? {})))
  const sets = each.size > 1 ? [...each] : []
  const notes = rows.flatMap(({ name, note }) => (note === undefined ? [] : [`<p class="note">${escape(`${name}: ${note}`)}</p>`]))
  return (
    table(
      ['model', ...figures.map((figure) => figureKinds[figure].label), ...sets, 'parameters', 'real-time factor'],
      rows.map(({ name, parameters, realTimeFactor, ...measured }) => [
        name,
        ...figures.map((figure) => optional(measured[figure], percent)),
        ...sets.map((set) => optional(measured.accuracyOf?.[set], percent)),
        optional(parameters, (value) => value.toLocaleString('en')),
        optional(realTimeFactor, (value) => value.toFixed(4)),
      ]),
    ) + notes.join('')
  )
}

const curves = (runs: readonly RunRecord[]): string => {
  if (runs.length === 0) return ''
  const loss = runs.map(({ name, updates }): Series => ({ name, points: smoothed(updates.map((update) => [update.update, taskLossOf(update).value] as const)) }))
  const alignment = runs
    .filter(({ updates }) => updates.some((update) => update.layerwise !== undefined))
    .map(({ name, updates }): Series => ({ name, points: smoothed(updates.flatMap((update) => (update.layerwise === undefined ? [] : [[update.update, update.layerwise] as const]))) }))
  const strips = runs.map(({ name, updates }) =>
    heatStrip(
      updates.flatMap(({ update, alignment: byLayer }) => (byLayer === undefined || byLayer.length === 0 ? [] : [[update, byLayer] as const])),
      { title: `Alignment loss of each layer, ${name}`, x: 'update' },
    ),
  )
  return (
    '<h2>Training</h2>' +
    decidingFigures(runs).map((figure) => lineChart(evaluationsOf(runs, figure), { title: `${sentence(figureKinds[figure].name)} on the development data`, x: 'update', y: `${figureKinds[figure].label}, %`, marks: true })).join('') +
    lineChart(loss, { title: `${sentence([...new Set(runs.flatMap(({ updates }) => updates.slice(0, 1)).map((update) => taskLossOf(update).name))].join(' or '))}, smoothed`, x: 'update', y: 'loss' }) +
    (alignment.length === 0 ? '' : lineChart(alignment, { title: 'Weighted layerwise alignment loss, smoothed', x: 'update', y: 'layerwise loss' })) +
    strips.join('')
  )
}

/** The figures that decide which evaluation is better: one for each task among the runs. */
const decidingFigures = (runs: readonly RunRecord[]): FigureName[] => [...new Set(runs.flatMap(({ evaluations }) => evaluations.slice(0, 1)).flatMap((evaluation) => decidingFigure(evaluation) ?? []))]

const evaluationsOf = (runs: readonly RunRecord[], figure: FigureName): Series[] =>
  runs.map(({ name, evaluations }) => ({ name, points: evaluations.flatMap((evaluation) => (evaluation[figure] === undefined ? [] : [[evaluation.update, 100 * evaluation[figure]] as const])) }))

const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

const marked = (pair: AlignedPair): string => {
  switch (pair.kind) {
    case 'hit':
      return escape(pair.hypothesis)
    case 'substitution':
      return `<span class="wrong" title="instead of ${escape(pair.reference)}">${escape(pair.hypothesis)}</span>`
    case 'deletion':
      return `<span class="missing" title="missing">${escape(pair.reference)}</span>`
    case 'insertion':
      return `<span class="added" title="not said">${escape(pair.hypothesis)}</span>`
  }
}

const utterances = (transcripts: Report['transcripts']): string => {
  const [first] = transcripts
  if (first === undefined || first.utterances.length === 0) return ''
  const ids = first.utterances.map(({ id }) => id)
  const entries = ids.map((id) => {
    const models = transcripts.flatMap(({ name, utterances: own }) => {
      const found = own.find((utterance) => utterance.id === id)
      return found === undefined ? [] : [{ name, ...found, alignment: align(wordsOf(found.reference), wordsOf(found.hypothesis)) }]
    })
    return { id, models, errors: models.reduce((total, { alignment: { substitutions, deletions, insertions } }) => total + substitutions + deletions + insertions, 0) }
  })
  const block = ({ id, models }: (typeof entries)[number]): string =>
    `<dl class="utterance"><dt>${escape(id)}</dt><dd>${escape(models[0]!.reference)}</dd>` +
    `${models.map(({ name, alignment }) => `<dt>${escape(name)}</dt><dd>${alignment.pairs.map(marked).join(' ')}</dd>`).join('')}</dl>`
  return (
    `<h2>What was heard</h2><p class="note">Each utterance with its reference, most errors first: <span class="wrong">another word</span>, <span class="missing">missing</span>, <span class="added">not said</span>.</p>` +
    entries
      .sort((a, b) => b.errors - a.errors)
      .map(block)
      .join('')
  )
}

const settings = (runs: readonly RunRecord[]): string =>
  runs.length === 0
    ? ''
    : `<h2>Settings</h2>${runs.map(({ name, settings: own }) => `<details><summary>${escape(name)}</summary><pre><code>${escape(JSON.stringify(own, null, 2))}</code></pre></details>`).join('')}`
