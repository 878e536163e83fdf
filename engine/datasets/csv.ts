/** One row of a table: its cells, and the 1-based line that it starts on. */
export interface Row {
  readonly cells: readonly string[]
  readonly line: number
}

/** Rows of RFC 4180: cells between delimiters, in quotes where they hold one, a quote twice inside quotes. Blank lines are no rows. SyntaxError says which line is not one. */
export const parseCsv = (text: string, delimiter: string): Row[] => {
  const rows: Row[] = []
  let cells: string[] = []
  let [line, start, at] = [1, 1, text.startsWith('\uFEFF') ? 1 : 0]
  const endRow = (): void => {
    if (cells.length > 1 || cells[0] !== '') rows.push({ cells, line: start })
    cells = []
    start = ++line
  }
  while (at < text.length || cells.length > 0) {
    let cell = ''
    if (text[at] === '"') {
      for (;;) {
        const end = text.indexOf('"', at + 1)
        if (end === -1) throw new SyntaxError(`${start}: expected a closing quote, found the end`)
        cell += text.slice(at + 1, end)
        at = end + 1
        if (text[at] !== '"') break
        cell += '"'
      }
      line += cell.split('\n').length - 1
      if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') throw new SyntaxError(`${start}: expected ${JSON.stringify(delimiter)} or the line's end after a closing quote, found ${JSON.stringify(text[at])}`)
    } else {
      const begin = at
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at++
      cell = text.slice(begin, at)
    }
    cells.push(cell)
    if (text[at] === delimiter) {
      at++
      // A delimiter before the end stands before an empty cell.
      if (at === text.length) cells.push('')
      if (at < text.length) continue
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at++
    if (at < text.length) at++
    endRow()
  }
  return rows
}
