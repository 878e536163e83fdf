import type { EvaluationEvent } from '../contract/index.ts'
import type { RunRecord } from './runRecord.ts'

/** A field as RFC 4180 wants it. */
const field = (value: string | number | undefined): string => {
  const text = value === undefined ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const evaluation = (of: EvaluationEvent | undefined): (number | undefined)[] => [of?.wer, of?.cer, of?.accuracy]

/** One line an update; layers' alignment in columns of their own, figures where an evaluation followed the update. */
export const metricsCsv = (runs: readonly RunRecord[]): string => {
  const layers = Math.max(0, ...runs.flatMap(({ updates }) => updates.map(({ alignment }) => alignment?.length ?? 0)))
  const head = ['run', 'update', 'loss', 'ctc', 'cross_entropy', 'layerwise', 'output', ...Array.from({ length: layers }, (_, i) => `alignment_${i}`), 'learning_rate', 'gradient_norm', 'audio_seconds', 'audio_seconds_per_second', 'memory_bytes', 'wer', 'cer', 'accuracy']
  const rows = runs.flatMap(({ name, updates, evaluations }) => {
    const evaluated = new Map(evaluations.map((evaluation) => [evaluation.update, evaluation]))
    return updates.map((update) => [
      ...[name, update.update, update.loss, update.ctc, update.crossEntropy, update.layerwise, update.output],
      ...Array.from({ length: layers }, (_, i) => update.alignment?.[i]),
      ...[update.learningRate, update.gradientNorm, update.audioSeconds, update.audioSecondsPerSecond, update.memoryBytes, ...evaluation(evaluated.get(update.update))],
    ])
  })
  return [head, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('')
}
