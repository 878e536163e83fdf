import type { ComparedModel, ComparedUtterance, HeardWord, SideBySide, TextSettings } from '../contract/index.ts'
import { BatchLoader, checkRecordings, readCorpus, requireTexts, sortedBatches, unequal, type Utterance, type Vocabulary } from '../datasets/index.ts'
import { InterruptedError, UsageError } from '../errors.ts'
import { align, columnsOf, columnsOfPair, greedyDecodeWithFrames, pairedBootstrap, TranscriptTally, wordsOf } from '../evaluate/index.ts'
import { describeHead, headOf, Inference, samplesPerFrame, type InferenceResult, type Wav2Vec2Config } from '../models/index.ts'
import { onDevice, openReadyToRun, type ComputeSettings, type JobContext, type ReadyModel } from './context.ts'

export interface SideBySideSettings extends ComputeSettings {
  readonly models: readonly [string, string]
  readonly data: string
  readonly batchSeconds: number
  readonly text: TextSettings
}

interface Heard {
  /** As the vocabulary writes it; undefined where the corpus has no text. */
  readonly reference: string | undefined
  readonly text: string
  readonly words: readonly HeardWord[]
}

/** Two models on the same utterances, every word with its time: what a listener compares. Rates are those of `evaluate`; a corpus without any text has none. */
export const sideBySide = async ({ models, data, ...settings }: SideBySideSettings, context: JobContext): Promise<SideBySide> => {
  if (models[0] === models[1]) throw new UsageError(`expected two different models, found ${models[0]} twice`)
  const utterances = await readCorpus(data)
  if (utterances.some(({ text }) => text !== undefined)) requireTexts(utterances)
  await checkRecordings(utterances)
  const [first, second] = [await listen(models[0], 0, utterances, settings, context), await listen(models[1], 1, utterances, settings, context)]
  const compared = utterances.map((utterance, index): ComparedUtterance => {
    const [a, b] = [first.heard[index]!, second.heard[index]!]
    const reference = a.reference === undefined ? undefined : wordsOf(a.reference)
    return {
      index,
      id: utterance.id,
      seconds: utterance.duration,
      reference: a.reference,
      hypotheses: [a.text, b.text],
      errors: reference === undefined ? undefined : [edits(reference, wordsOf(a.text)), edits(reference, wordsOf(b.text))],
      distance: edits(wordsOf(a.text), wordsOf(b.text)),
      columns: reference === undefined ? columnsOfPair(a.words, b.words) : columnsOf(reference, a.words, b.words),
    }
  })
  const errorsOf = ({ errors }: ComparedUtterance): number => (errors === undefined ? 0 : errors[0] + errors[1])
  return {
    models: [first.model, second.model],
    audioSeconds: utterances.reduce((total, { duration }) => total + duration, 0),
    difference: differenceOf(compared),
    utterances: compared.sort((x, y) => y.distance - x.distance || errorsOf(y) - errorsOf(x) || x.index - y.index),
  }
}

const differenceOf = (compared: readonly ComparedUtterance[]): SideBySide['difference'] => {
  const counts = compared.flatMap(({ reference, errors }) => (reference === undefined || errors === undefined ? [] : [{ a: errors[0], b: errors[1], reference: wordsOf(reference).length }]))
  if (counts.length === 0) return undefined
  const { difference, low, high, confidence } = pairedBootstrap(counts)
  return { difference, low, high, confidence }
}

const edits = (from: readonly string[], to: readonly string[]): number => {
  const { substitutions, deletions, insertions } = align(from, to)
  return substitutions + deletions + insertions
}

const listen = async (
  path: string,
  turn: 0 | 1,
  utterances: readonly Utterance[],
  settings: Omit<SideBySideSettings, 'models' | 'data'>,
  { signal, onEvent }: JobContext,
): Promise<{ model: ComparedModel; heard: Heard[] }> => {
  const ready = await openReadyToRun(path)
  const { vocabulary } = ready
  if (vocabulary === undefined) throw new UsageError(`${path}: expected a model that recognises speech, found ${describeHead(headOf(ready.model.config))}`)
  return onDevice(settings, async (device) => {
    const inference = new Inference(device, ready.model)
    const order = sortedBatches(utterances, settings.batchSeconds)
    const batches = order.map((indices) => indices.map((index) => utterances[index]!))
    await inference.prepare(batches.some(unequal))
    const loader = new BatchLoader(ready.audio)
    const tally = new TranscriptTally()
    const heard: Heard[] = []
    let done = 0
    const started = performance.now()
    try {
      let next = 0
      for await (const { utterances: batch, audio: data, lengths } of loader.load(batches)) {
        if (signal.aborted) throw new InterruptedError(`stopped after ${done} of ${utterances.length} utterances`)
        const result = await inference.run({ data, shape: [batch.length, data.length / batch.length], lengths })
        const indices = order[next++]!
        batch.forEach(({ text }, b) => {
          const reference = text === undefined ? undefined : vocabulary.normalise(text, settings.text)
          const words = timedWords(result, b, ready, vocabulary)
          const spoken = words.map((word) => word.text).join(' ')
          if (reference !== undefined) tally.add(reference, spoken)
          heard[indices[b]!] = { reference, text: spoken, words }
        })
        done += batch.length
        onEvent({ kind: 'progress', stage: 'listening', done: turn * utterances.length + done, total: 2 * utterances.length })
      }
    } finally {
      await loader.close()
      await inference.dispose()
    }
    const audioSeconds = utterances.reduce((total, { duration }) => total + duration, 0)
    const rates = heard.some(({ reference }) => reference !== undefined) ? { wer: tally.words.rate, cer: tally.characters.rate } : { wer: undefined, cer: undefined }
    return { model: { model: path, ...rates, realTimeFactor: (performance.now() - started) / 1000 / audioSeconds }, heard }
  })
}

/** Greedy words of a row; frame t covers the samples from t · stride to (t + 1) · stride. */
const timedWords = ({ logits, frames, lengths }: InferenceResult, row: number, { model, audio }: Pick<ReadyModel<{ config: Wav2Vec2Config }>, 'model' | 'audio'>, vocabulary: Vocabulary): HeardWord[] => {
  const { size, blank } = vocabulary
  const { labels, first, last } = greedyDecodeWithFrames(logits.subarray(row * frames * size, (row * frames + lengths[row]!) * size), lengths[row]!, size, blank)
  const seconds = samplesPerFrame(model.config) / audio.samplingRate
  return vocabulary.wordsIn(labels).map((word) => ({ text: word.text, start: first[word.first]! * seconds, end: (last[word.last]! + 1) * seconds }))
}
