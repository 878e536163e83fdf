import type { TextSettings } from '../../contract/index.ts'
import { requireTexts, type Vocabulary } from '../../datasets/index.ts'
import { greedyDecode, TranscriptTally } from '../../evaluate/index.ts'
import type { InferenceResult } from '../../models/index.ts'
import { recognitionObjective } from '../objectives/index.ts'
import { byId, type Tally, type Task, type Transcribed } from './task.ts'

/** The greedy transcript of each row of a batch. */
export const transcripts = ({ logits, batch, frames, lengths }: InferenceResult, vocabulary: Vocabulary): string[] => {
  const { size, blank } = vocabulary
  return Array.from({ length: batch }, (_, b) => {
    const row = logits.subarray(b * frames * size, (b * frames + lengths[b]!) * size)
    return vocabulary.decodeIds(greedyDecode(row, lengths[b]!, size, blank))
  })
}

/** Writing down what was said: CTC, word and character errors. */
export const recognition = (vocabulary: Vocabulary, text: TextSettings, blank: number): Task => ({
  loss: 'ctc',
  objective: recognitionObjective(blank),
  record: { text },
  check: requireTexts,
  targetOf: (utterance) => vocabulary.encode(utterance.text ?? '', text, utterance.where),
  tally: (): Tally => {
    const tally = new TranscriptTally()
    const transcribed: Transcribed[] = []
    return {
      add: (result, utterances) => {
        transcripts(result, vocabulary).forEach((hypothesis, b) => {
          const { id, text: said = '' } = utterances[b]!
          const reference = vocabulary.normalise(said, text)
          tally.add(reference, hypothesis)
          transcribed.push({ id, reference, hypothesis })
        })
      },
      figures: () => ({ wer: tally.words.rate, cer: tally.characters.rate }),
      counts: () => ({ words: tally.words.toJSON(), characters: tally.characters.toJSON() }),
      transcribed: () => byId(transcribed),
    }
  },
})
