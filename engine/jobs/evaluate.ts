import type { Figures, TextSettings } from '../contract/index.ts'
import { BatchLoader, checkRecordings, manifestHashes, readCorpus, sortedBatches, unequal } from '../datasets/index.ts'
import { taskOf, type Transcribed } from '../distill/index.ts'
import { InterruptedError } from '../errors.ts'
import type { ErrorTally } from '../evaluate/index.ts'
import { Inference } from '../models/index.ts'
import { onDevice, openReadyToRun, type ComputeSettings, type JobContext } from './context.ts'
import { trainingData } from './lineage.ts'

export interface EvaluateSettings extends ComputeSettings {
  readonly model: string
  readonly data: string
  readonly batchSeconds: number
  readonly text: TextSettings
  /** Fields of the manifest that hold a classifier's label sets; by default they are named as the sets are. */
  readonly labels?: readonly string[] | undefined
}

export interface Evaluation extends Figures {
  readonly model: string
  readonly utterances: number
  readonly audioSeconds: number
  /** Processing time (loading, inference, decoding) / audio time. */
  readonly realTimeFactor: number
  /** Of a recogniser. */
  readonly words?: ReturnType<ErrorTally['toJSON']>
  readonly characters?: ReturnType<ErrorTally['toJSON']>
  /** Of a classifier: right answers of each label set. */
  readonly labels?: Readonly<Record<string, { readonly right: number; readonly total: number }>>
  readonly transcripts: readonly Transcribed[]
}

/** Figures of a model over a corpus: WER and CER by greedy decoding, or accuracy; refuses a corpus with an unreadable recording before it starts. */
export const evaluate = async (settings: EvaluateSettings, { signal, onEvent }: JobContext): Promise<Evaluation> => {
  const { model, vocabulary, audio } = await openReadyToRun(settings.model, onEvent)
  const utterances = await readCorpus(settings.data)
  const task = taskOf(model.config, { model: settings.model, vocabulary, text: settings.text, fields: settings.labels })
  task.check(utterances)
  await checkRecordings(utterances)
  const known = new Set(trainingData(model.config.cald))
  for (const [manifest, sha256] of await manifestHashes(utterances)) {
    if (known.has(sha256)) onEvent({ kind: 'note', message: `${manifest}: ${settings.model} was trained on this data; its errors here say little` })
  }
  return onDevice(settings, async (device) => {
    const inference = new Inference(device, model)
    const batches = sortedBatches(utterances, settings.batchSeconds).map((indices) => indices.map((index) => utterances[index]!))
    await inference.prepare(batches.some(unequal))
    const loader = new BatchLoader(audio)
    const tally = task.tally()
    let done = 0
    const started = performance.now()
    try {
      for await (const { utterances: batch, audio: data, lengths } of loader.load(batches)) {
        if (signal.aborted) throw new InterruptedError(`stopped after ${done} of ${utterances.length} utterances`)
        tally.add(await inference.run({ data, shape: [batch.length, data.length / batch.length], lengths }), batch)
        done += batch.length
        onEvent({ kind: 'progress', stage: 'evaluate', done, total: utterances.length })
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
      ...tally.figures(),
      realTimeFactor: seconds / audioSeconds,
      ...tally.counts(),
      transcripts: tally.transcribed(),
    }
  })
}
