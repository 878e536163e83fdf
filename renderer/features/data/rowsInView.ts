/** Rows beside those in sight, so that a scroll finds some there. */
const beside = 12

/** Which rows of a long table are to be there: [first, last). */
export const rowsInView = ({ scrolled, height, rowHeight, total }: { scrolled: number; height: number; rowHeight: number; total: number }): { first: number; last: number } => {
  const top = Math.min(Math.floor(scrolled / rowHeight), Math.max(0, total - 1))
  return { first: Math.max(0, top - beside), last: Math.min(total, top + Math.ceil(height / rowHeight) + beside) }
}
