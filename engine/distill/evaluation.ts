import { sortedBatches, type Utterance } from '../datasets/index.ts'
import type { Inference, SpeechBatch } from '../models/index.ts'
import type { Tally, Task } from './tasks/index.ts'

/** A model's answers over utterances, loaded by `load` in batches of so many padded seconds. */
export const tallyAnswers = async (
  inference: Inference,
  task: Task,
  utterances: readonly Utterance[],
  batchSeconds: number,
  load: (batch: Utterance[]) => Promise<SpeechBatch>,
): Promise<Tally> => {
  const tally = task.tally()
  for (const indices of sortedBatches(utterances, batchSeconds)) {
    const batch = indices.map((index) => utterances[index]!)
    tally.add(await inference.run(await load(batch)), batch)
  }
  return tally
}
