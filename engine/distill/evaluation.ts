import type { TextSettings } from '../contract/index.ts'
import { sortedBatches, type Utterance, type Vocabulary } from '../datasets/index.ts'
import { greedyDecode, TranscriptTally } from '../evaluate/index.ts'
import type { Inference, InferenceResult, SpeechBatch } from '../models/index.ts'

/** The greedy transcript of each row of a batch. */
export const transcripts = ({ logits, batch, frames, lengths }: InferenceResult, vocabulary: Vocabulary): string[] => {
  const { size, blank } = vocabulary
  return Array.from({ length: batch }, (_, b) => {
    const row = logits.subarray(b * frames * size, (b * frames + lengths[b]!) * size)
    return vocabulary.decodeIds(greedyDecode(row, lengths[b]!, size, blank))
  })
}

/** What was said, and what was heard. */
export interface Transcribed {
  readonly id: string
  readonly reference: string
  readonly hypothesis: string
}

/** Word and character errors of a model over utterances, loaded by `load` in batches of so many padded seconds. */
export const tallyErrors = async (
  inference: Inference,
  utterances: readonly Utterance[],
  { vocabulary, text, batchSeconds }: { vocabulary: Vocabulary; text: TextSettings; batchSeconds: number },
  load: (batch: Utterance[]) => Promise<SpeechBatch>,
): Promise<{ tally: TranscriptTally; transcribed: Transcribed[] }> => {
  const tally = new TranscriptTally()
  const transcribed: Transcribed[] = []
  for (const indices of sortedBatches(utterances, batchSeconds)) {
    const batch = indices.map((index) => utterances[index]!)
    const hypotheses = transcripts(await inference.run(await load(batch)), vocabulary)
    hypotheses.forEach((hypothesis, b) => {
      const reference = vocabulary.normalise(batch[b]!.text ?? '', text)
      tally.add(reference, hypothesis)
      transcribed.push({ id: batch[b]!.id, reference, hypothesis })
    })
  }
  return { tally, transcribed: transcribed.sort((a, b) => (a.id < b.id ? -1 : 1)) }
}
