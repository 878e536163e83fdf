import { Worker } from 'node:worker_threads'
import { AudioError, MissingFileError } from '../errors.ts'
import type { AudioBatch, LoadOptions } from './loader.ts'
import type { LoadedMessage } from './loaderWorker.ts'
import type { Utterance } from './utterance.ts'

/** A worker from the compiled file; when this module runs from TypeScript source, tsx teaches the new thread to read it first. */
const startWorker = (options: LoadOptions): Worker => {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./loaderWorker.js', import.meta.url), { workerData: options })
  const source = JSON.stringify(new URL('./loaderWorker.ts', import.meta.url).href)
  return new Worker(`import('tsx/esm/api').then(({ register }) => { register(); return import(${source}) })`, { eval: true, workerData: options })
}

const revive = ({ name, message }: Extract<LoadedMessage, { kind: 'error' }>): Error =>
  name === 'MissingFileError' ? new MissingFileError(message) : name === 'AudioError' ? new AudioError(message) : new Error(message)

/**
 * Loads batches in a thread of its own, some ahead of their use, so that decoding and resampling overlap with compute.
 * Close it to end the thread.
 */
export class BatchLoader {
  readonly #worker: Worker
  readonly #prefetch: number
  readonly #waiting: ((message: LoadedMessage) => void)[] = []

  constructor(options: LoadOptions, prefetch = 2) {
    this.#worker = startWorker(options)
    this.#prefetch = prefetch
    this.#worker.on('message', (message: LoadedMessage) => this.#waiting.shift()?.(message))
    this.#worker.on('error', ({ name, message }: Error) => {
      for (const resolve of this.#waiting.splice(0)) resolve({ kind: 'error', name, message })
    })
  }

  /** The batches in order; an error about a recording arrives in place of its batch. */
  async *load(batches: Iterable<Utterance[]>): AsyncGenerator<AudioBatch> {
    const source = batches[Symbol.iterator]()
    const asked: { utterances: Utterance[]; answer: Promise<LoadedMessage> }[] = []
    let exhausted = false
    const ask = (): void => {
      const next = exhausted ? undefined : source.next()
      if (next === undefined || next.done === true) exhausted = true
      else asked.push({ utterances: next.value, answer: this.#ask(next.value) })
    }
    for (let i = 0; i <= this.#prefetch; i++) ask()
    for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
      const message = await next.answer
      ask()
      if (message.kind === 'error') throw revive(message)
      yield { utterances: next.utterances, audio: message.audio, lengths: message.lengths }
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(utterances: Utterance[]): Promise<LoadedMessage> {
    return new Promise((resolve) => {
      // The worker answers in the order it was asked.
      this.#waiting.push(resolve)
      this.#worker.postMessage(utterances)
    })
  }
}
