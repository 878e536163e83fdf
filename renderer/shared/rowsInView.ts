/** Which rows of a long list are to be there: [first, last); `beside`: rows past those in sight, so that a scroll finds some there. */
export const rowsInView = ({ scrolled, height, rowHeight, total, beside = 12 }: { scrolled: number; height: number; rowHeight: number; total: number; beside?: number }): { first: number; last: number } => {
  const top = Math.min(Math.max(0, Math.floor(scrolled / rowHeight)), Math.max(0, total - 1))
  return { first: Math.max(0, top - beside), last: Math.min(total, top + Math.ceil(height / rowHeight) + 1 + beside) }
}
