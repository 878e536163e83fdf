import type { TextSettings } from '../contract/index.ts'
import { sha256OfFile } from '../checkpoint/index.ts'
import { BatchLoader, checkRecordings, readCorpus, requireTexts, sortedBatches } from '../datasets/index.ts'
import { transcripts } from '../distill/index.ts'
import { InterruptedError } from '../errors.ts'
import { TranscriptTally } from '../evaluate/index.ts'
import { Inference } from '../models/index.ts'
import { onDevice, openReadyModel, type ComputeSettings, type JobContext } from './context.ts'
import { trainingData } from './lineage.ts'

export interface EvaluateSettings extends ComputeSettings {
  readonly model: string
  readonly data: string
  readonly batchSeconds: number
  readonly text: TextSettings
}

export interface Evaluation {
  readonly model: string
  readonly utterances: number
  readonly audioSeconds: number
  /** Fractions. */
  readonly wer: number
  readonly cer: number
  /** Processing time (loading, inference, decoding) / audio time. */
  readonly realTimeFactor: number
  readonly words: ReturnType<TranscriptTally['words']['toJSON']>
  readonly characters: ReturnType<TranscriptTally['characters']['toJSON']>
  readonly transcripts: readonly { readonly id: string; readonly reference: string; readonly hypothesis: string }[]
}

/** WER and CER of a model over a corpus by greedy decoding; refuses a corpus with an unreadable recording before it starts. */
export const evaluate = async (settings: EvaluateSettings, { signal, onEvent }: JobContext): Promise<Evaluation> => {
  const { model, vocabulary, audio } = await openReadyModel(settings.model, { onEvent })
  const utterances = await readCorpus(settings.data)
  requireTexts(utterances)
  await checkRecordings(utterances)
  const known = new Set(trainingData(model.config.cald))
  for (const manifest of new Set(utterances.map((utterance) => utterance.manifest))) {
    if (known.has(await sha256OfFile(manifest))) onEvent({ kind: 'note', message: `${manifest}: ${settings.model} was trained on this data; its errors here say little` })
  }
  return onDevice(settings, async (device) => {
    const inference = new Inference(device, model)
    const loader = new BatchLoader(audio)
    const tally = new TranscriptTally()
    const results: { id: string; reference: string; hypothesis: string }[] = []
    const started = performance.now()
    try {
      const batches = sortedBatches(utterances, settings.batchSeconds).map((indices) => indices.map((index) => utterances[index]!))
      for await (const { utterances: batch, audio: data, lengths } of loader.load(batches)) {
        if (signal.aborted) throw new InterruptedError(`stopped after ${results.length} of ${utterances.length} utterances`)
        const result = await inference.run({ data, shape: [batch.length, data.length / batch.length], lengths })
        transcripts(result, vocabulary).forEach((hypothesis, b) => {
          const reference = vocabulary.normalise(batch[b]!.text!, settings.text)
          tally.add(reference, hypothesis)
          results.push({ id: batch[b]!.id, reference, hypothesis })
        })
        onEvent({ kind: 'progress', stage: 'evaluate', done: results.length, total: utterances.length })
      }
    } finally {
      await loader.close()
    }
    const seconds = (performance.now() - started) / 1000
    const audioSeconds = utterances.reduce((total, { duration }) => total + duration, 0)
    return {
      model: settings.model,
      utterances: utterances.length,
      audioSeconds,
      wer: tally.words.rate,
      cer: tally.characters.rate,
      realTimeFactor: seconds / audioSeconds,
      words: tally.words.toJSON(),
      characters: tally.characters.toJSON(),
      transcripts: results.sort((a, b) => (a.id < b.id ? -1 : 1)),
    }
  })
}
