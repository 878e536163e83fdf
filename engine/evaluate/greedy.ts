/**
 * Greedy CTC decoding of one utterance (logits: [frames, vocabularySize]): the best label of each frame (the first on ties, as
 * torch.argmax), repeats collapsed, blanks dropped.
 */
export const greedyDecode = (logits: Float32Array, frames: number, vocabularySize: number, blank: number): Int32Array => {
  const labels: number[] = []
  let previous = blank
  for (let t = 0; t < frames; t++) {
    let best = 0
    for (let v = 1; v < vocabularySize; v++) if (logits[t * vocabularySize + v]! > logits[t * vocabularySize + best]!) best = v
    if (best !== previous && best !== blank) labels.push(best)
    previous = best
  }
  return Int32Array.from(labels)
}
