import { escape } from './html.ts'

const width = 720
const left = 64
const rowHeight = 18
const mostColumns = 120

export interface HeatStripOptions {
  readonly title: string
  /** What a column's number counts. */
  readonly x: string
}

/** One column of the strip: the last x of its points, and each row's mean over them. */
export interface HeatColumn {
  readonly x: number
  readonly values: readonly number[]
}

/** Points of equally many rows, averaged in order into at most `most` columns. */
export const columnsOf = (points: readonly (readonly [x: number, values: readonly number[]])[], most = mostColumns): HeatColumn[] => {
  const stride = Math.max(1, Math.ceil(points.length / most))
  return Array.from({ length: Math.ceil(points.length / stride) }, (_, column) => {
    const own = points.slice(column * stride, (column + 1) * stride)
    const rows = own[0]![1].length
    return { x: own.at(-1)![0], values: Array.from({ length: rows }, (__, row) => own.reduce((total, [, values]) => total + values[row]!, 0) / own.length) }
  })
}

/** Rows (layers) over columns (time) as SVG: the stronger the colour, the larger the value, on a logarithmic scale that the caption states. */
export const heatStrip = (points: readonly (readonly [x: number, values: readonly number[]])[], { title, x }: HeatStripOptions): string => {
  if (points.length === 0) return ''
  const columns = columnsOf(points)
  const positive = columns.flatMap(({ values }) => values).filter((value) => value > 0)
  if (positive.length === 0) return ''
  const rows = columns[0]!.values.length
  const [low, high] = [Math.min(...positive), Math.max(...positive)]
  const span = Math.log(high / low) || 1
  const strength = (value: number): string => (value > 0 ? 0.06 + (0.94 * Math.log(value / low)) / span : 0).toFixed(3)
  const cell = (width - left) / columns.length
  const cells = columns.flatMap(({ x: at, values }, column) =>
    values.map(
      (value, row) =>
        `<rect class="heat" x="${(left + column * cell).toFixed(2)}" y="${row * rowHeight}" width="${(cell + 0.3).toFixed(2)}" height="${rowHeight - 1}" fill-opacity="${strength(value)}">` +
        `<title>${escape(`layer ${row + 1}, ${x} ${at}: ${value.toPrecision(3)}`)}</title></rect>`,
    ),
  )
  const labels = Array.from({ length: rows }, (_, row) => `<text class="tick" x="${left - 8}" y="${row * rowHeight + rowHeight / 2}" dy="0.35em" text-anchor="end">${row + 1}</text>`)
  const foot = rows * rowHeight
  return (
    `<figure><figcaption>${escape(`${title}: from ${low.toPrecision(2)} (pale) to ${high.toPrecision(2)} (strong), logarithmic`)}</figcaption>` +
    `<svg class="chart" viewBox="0 0 ${width} ${foot + 34}" role="img" aria-label="${escape(`${title}, by layer and ${x}`)}">` +
    cells.join('') +
    labels.join('') +
    `<text class="tick" x="${left}" y="${foot + 14}">${columns[0]!.x}</text><text class="tick" x="${width}" y="${foot + 14}" text-anchor="end">${columns.at(-1)!.x}</text>` +
    `<text class="label" x="${(left + width) / 2}" y="${foot + 26}" text-anchor="middle">${escape(x)}</text>` +
    `<text class="label" transform="translate(14 ${foot / 2}) rotate(-90)" text-anchor="middle">layer</text></svg></figure>`
  )
}
