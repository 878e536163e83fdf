import { escape } from './html.ts'

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface ChartOptions {
  readonly title: string
  readonly x: string
  readonly y: string
  /** Logarithmic axes; values must be positive there. */
  readonly logX?: boolean
  readonly logY?: boolean
  /** Marks each point; for series of few. */
  readonly marks?: boolean
  readonly formatX?: (value: number) => string
  readonly formatY?: (value: number) => string
}

const width = 720
const height = 300
const margin = { left: 64, right: 16, top: 12, bottom: 44 }

interface Axis {
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

/** Steps of 1, 2 or 5 times a power of ten, about `wanted` of them. */
export const niceTicks = (low: number, high: number, wanted = 5): number[] => {
  const rough = (high - low) / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

const linearAxis = (values: readonly number[], from: number, to: number, zero: boolean): Axis => {
  const low = zero ? Math.min(0, ...values) : Math.min(...values)
  const top = Math.max(...values)
  const high = top > low ? top : low + 1
  return { place: (value) => from + ((value - low) / (high - low)) * (to - from), ticks: niceTicks(low, high) }
}

const logAxis = (values: readonly number[], from: number, to: number): Axis => {
  const low = Math.log10(Math.min(...values))
  const high = Math.max(Math.log10(Math.max(...values)), low + 0.1)
  const ticks = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i).flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power))
  return { place: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from), ticks: ticks.filter((tick) => Math.log10(tick) >= low - 1e-9 && Math.log10(tick) <= high + 1e-9) }
}

/** A line chart as SVG; its colours come from the page, and each series has a dash of its own. */
export const lineChart = (series: readonly Series[], { title, x, y, logX = false, logY = false, marks = false, formatX = String, formatY = String }: ChartOptions): string => {
  const points = series.flatMap((one) => one.points)
  if (points.length === 0) return ''
  const [right, bottom] = [width - margin.right, height - margin.bottom]
  const across = points.map(([value]) => value)
  const up = points.map(([, value]) => value)
  const xAxis = logX ? logAxis(across, margin.left, right) : linearAxis(across, margin.left, right, false)
  const yAxis = logY ? logAxis(up, bottom, margin.top) : linearAxis(up, bottom, margin.top, true)
  // On a logarithmic axis of few points, the points themselves are the ticks a reader looks for.
  const xTicks = logX && new Set(across).size <= 8 ? [...new Set(across)] : xAxis.ticks
  const at = ([px, py]: readonly [number, number]): string => `${xAxis.place(px).toFixed(1)},${yAxis.place(py).toFixed(1)}`
  const grid = [
    ...yAxis.ticks.map((tick) => {
      const row = yAxis.place(tick).toFixed(1)
      return `<line class="grid" x1="${margin.left}" x2="${right}" y1="${row}" y2="${row}"/><text class="tick" x="${margin.left - 8}" y="${row}" dy="0.35em" text-anchor="end">${escape(formatY(tick))}</text>`
    }),
    ...xTicks.map((tick) => {
      const column = xAxis.place(tick).toFixed(1)
      return `<line class="grid" x1="${column}" x2="${column}" y1="${margin.top}" y2="${bottom}"/><text class="tick" x="${column}" y="${bottom + 16}" text-anchor="middle">${escape(formatX(tick))}</text>`
    }),
  ]
  const lines = series.map(({ points: own }, i) => {
    const dots = marks ? own.map((point) => `<circle class="series-${i}" r="3.5" cx="${at(point).replace(',', '" cy="')}"/>`).join('') : ''
    return `<polyline class="line series-${i}" points="${own.map(at).join(' ')}"/>${dots}`
  })
  const legend = series.map(({ name }, i) => `<li><svg viewBox="0 0 28 10" aria-hidden="true"><line class="line series-${i}" x1="0" x2="28" y1="5" y2="5"/></svg>${escape(name)}</li>`)
  return (
    `<figure><figcaption>${escape(title)}</figcaption>` +
    `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(`${title}: ${series.map(({ name }) => name).join(', ')}`)}">` +
    grid.join('') +
    lines.join('') +
    `<text class="label" x="${(margin.left + right) / 2}" y="${height - 6}" text-anchor="middle">${escape(x)}</text>` +
    `<text class="label" transform="translate(14 ${(margin.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>` +
    `</svg><ul class="legend">${legend.join('')}</ul></figure>`
  )
}

/** A running mean that forgets (bias-corrected exponential average, as Adam's first moment), thinned to about `most` points afterwards. */
export const smoothed = (points: readonly (readonly [number, number])[], keep = 0.95, most = 400): (readonly [number, number])[] => {
  let mean = 0
  let weight = 1
  const all = points.map(([px, py]): readonly [number, number] => {
    mean = keep * mean + (1 - keep) * py
    weight *= keep
    return [px, mean / (1 - weight)]
  })
  const stride = Math.max(1, Math.ceil(all.length / most))
  return all.filter((_, i) => i % stride === 0 || i === all.length - 1)
}
