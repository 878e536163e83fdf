/** Where to break columns of these widths into lines: the first of each line and the one behind its last. A column wider than a line has one to itself. */
export const breakLines = (widths: readonly number[], available: number): { readonly first: number; readonly end: number }[] => {
  const lines: { first: number; end: number }[] = []
  let left = 0
  for (const [i, width] of widths.entries()) {
    const line = lines.at(-1)
    if (line === undefined || width > left) {
      lines.push({ first: i, end: i + 1 })
      left = available - width
    } else {
      line.end = i + 1
      left -= width
    }
  }
  return lines
}
