interface Tick {
  readonly value: number
  readonly at: number
}

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** A logarithmic axis from `from` to `to`, wide enough to hold all values. */
const logAxis = (values: readonly number[], from: number, to: number): ((value: number) => number) => {
  const low = Math.log10(Math.min(...values))
  const high = Math.max(Math.log10(Math.max(...values)), low + 0.3)
  return (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from)
}

/** Ticks of 1, 2 and 5 times powers of ten that lie inside. */
const ticksBetween = (low: number, high: number): number[] => {
  const first = Math.floor(Math.log10(low))
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => first + i)
  const all = powers.flatMap((power) => [1, 2, 5].map((factor) => Number((factor * 10 ** power).toPrecision(3)))).filter((value) => value >= low && value <= high)
  return all.length > 6 ? all.filter((value) => Number.isInteger(Math.log10(value)) || all.indexOf(value) % 2 === 0) : all
}

/** Places of two models' points (positive numbers) in a box, line by line, with the ticks of both axes; the lengths themselves are the ticks across. */
export const lineFigure = (points: readonly { readonly model: 0 | 1; readonly x: number; readonly y: number }[], { left, right, top, bottom }: Box): { readonly lines: readonly (readonly (readonly [number, number])[])[]; readonly xTicks: readonly Tick[]; readonly yTicks: readonly Tick[] } => {
  if (points.length === 0) return { lines: [[], []], xTicks: [], yTicks: [] }
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)]
  const [across, up] = [logAxis(xs, left, right), logAxis(ys, bottom, top)]
  const lines = ([0, 1] as const).map((wanted) =>
    points
      .filter(({ model }) => model === wanted)
      .sort((a, b) => a.x - b.x)
      .map(({ x, y }) => [across(x), up(y)] as const),
  )
  return {
    lines,
    xTicks: [...new Set(xs)].map((value) => ({ value, at: across(value) })),
    yTicks: ticksBetween(Math.min(...ys), Math.max(...ys)).map((value) => ({ value, at: up(value) })),
  }
}
