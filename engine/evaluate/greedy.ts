/**
 * Greedy CTC decoding of one utterance (logits: [frames, vocabularySize]): the best label of each frame (the first on ties, as
 * torch.argmax), repeats collapsed, blanks dropped.
 */
export const greedyDecode = (logits: Float32Array, frames: number, vocabularySize: number, blank: number): Int32Array =>
  greedyDecodeWithFrames(logits, frames, vocabularySize, blank).labels

/** The same, and the first and the last frame of each label. */
export const greedyDecodeWithFrames = (logits: Float32Array, frames: number, vocabularySize: number, blank: number): { labels: Int32Array; first: Int32Array; last: Int32Array } => {
  const labels: number[] = []
  const first: number[] = []
  const last: number[] = []
  let previous = blank
  for (let t = 0; t < frames; t++) {
    let best = 0
    for (let v = 1; v < vocabularySize; v++) if (logits[t * vocabularySize + v]! > logits[t * vocabularySize + best]!) best = v
    if (best !== blank) {
      if (best !== previous) {
        labels.push(best)
        first.push(t)
        last.push(t)
      } else last[last.length - 1] = t
    }
    previous = best
  }
  return { labels: Int32Array.from(labels), first: Int32Array.from(first), last: Int32Array.from(last) }
}
