import { CheckpointError, messageOf } from '../../errors.ts'
import { mutate } from './mutate.ts'
import { readWhole, type Subject } from './subjects.ts'

export interface Hammered {
  readonly mutations: number
  /** Mutations that a reader opened: most changed nothing that it looks at. */
  readonly opened: number
  /** Different messages, numbers and names apart. */
  readonly messages: ReadonlyMap<string, number>
  readonly slowestSeconds: number
  /** What must not be: anything thrown that is no CheckpointError, or more than a second. */
  readonly failures: readonly string[]
}

/** Reads mutations number `from` to `from + count − 1`; mutation n is of subject n modulo their number, the same for the same seed. */
export const hammer = async (subjects: readonly Subject[], seed: number, from: number, count: number, onProgress?: (done: number) => void): Promise<Hammered> => {
  const messages = new Map<string, number>()
  const failures: string[] = []
  let opened = 0
  let slowest = 0
  for (let number = from; number < from + count; number++) {
    const subject = subjects[number % subjects.length]!
    const file = subject.file(mutate(subject.bytes, subject.hot, seed, number))
    const started = performance.now()
    try {
      await readWhole(subject.kind, file)
      opened++
    } catch (error) {
      if (!(error instanceof CheckpointError)) failures.push(`mutation ${number} (seed ${seed}) of ${subject.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      const message = `${subject.kind}: ${messageOf(error).replaceAll(/"(?:[^"\\]|\\.)*"|\d+/g, '…').slice(0, 70)}`
      messages.set(message, (messages.get(message) ?? 0) + 1)
    }
    const seconds = (performance.now() - started) / 1000
    slowest = Math.max(slowest, seconds)
    if (seconds > 1) failures.push(`mutation ${number} (seed ${seed}) of ${subject.name}: ${seconds.toFixed(1)} s`)
    onProgress?.(number - from + 1)
  }
  return { mutations: count, opened, messages, slowestSeconds: slowest, failures }
}
