import type { LatencyFailure, LatencyPoint } from '../evaluate/index.ts'
import { lineChart, type Series } from './chart.ts'
import { mebibytes } from './figures.ts'
import { escape } from './html.ts'

/** Models measured over lengths of speech, and the points that could not be. */
export interface Latency {
  readonly points: readonly (Pick<LatencyPoint, 'duration' | 'latency' | 'peakBytes'> & { readonly name: string })[]
  readonly failures: readonly (Pick<LatencyFailure, 'duration' | 'error'> & { readonly name: string })[]
}

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th scope="col">${escape(cell)}</th>`).join('')}</tr></thead><tbody>` +
  `${rows.map((row) => `<tr>${row.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`).join('')}</tbody></table></div>`

export const latencySection = (latency: Latency): string => {
  const names = [...new Set([...latency.points, ...latency.failures].map(({ name }) => name))]
  const seriesOf = (figure: (point: Latency['points'][number]) => number): Series[] =>
    names.map((name) => ({ name, points: latency.points.filter((point) => point.name === name).map((point) => [point.duration, figure(point)] as const) }))
  const axes = { x: 'seconds of speech', logX: true, logY: true, marks: true }
  const rows = [
    ...latency.points.map(({ name, duration, latency: seconds, peakBytes }) => [name, `${duration} s`, `${seconds.toFixed(3)} s`, (seconds / duration).toFixed(4), mebibytes(peakBytes)]),
    ...latency.failures.map(({ name, duration, error }) => [name, `${duration} s`, error, '–', '–']),
  ]
  return (
    '<h2>Latency and memory</h2>' +
    lineChart(seriesOf((point) => point.latency), { ...axes, title: 'Time to transcribe, by length', y: 'seconds' }) +
    lineChart(seriesOf((point) => point.peakBytes / 2 ** 20), { ...axes, logY: false, title: 'Peak memory of the process, by length', y: 'MiB' }) +
    table(['model', 'speech', 'latency', 'real-time factor', 'peak memory'], rows)
  )
}
