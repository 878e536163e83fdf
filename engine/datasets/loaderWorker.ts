import { parentPort, workerData } from 'node:worker_threads'
import { loadBatch, type LoadOptions } from './loader.ts'
import type { Utterance } from './utterance.ts'

/** What the worker answers to a batch it was asked for; errors travel by name and message. */
export type LoadedMessage =
  | { readonly kind: 'batch'; readonly audio: Float32Array; readonly lengths: Int32Array }
  | { readonly kind: 'error'; readonly name: string; readonly message: string }

const port = parentPort!
let last = Promise.resolve()
port.on('message', (utterances: Utterance[]) => {
  // One after the other, so that answers come in the order of the questions.
  last = last.then(() => answer(utterances))
})

const answer = async (utterances: Utterance[]): Promise<void> => {
  try {
    const { audio, lengths } = await loadBatch(utterances, workerData as LoadOptions)
    port.postMessage({ kind: 'batch', audio, lengths } satisfies LoadedMessage, [audio.buffer as ArrayBuffer, lengths.buffer as ArrayBuffer])
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    port.postMessage({ kind: 'error', name, message } satisfies LoadedMessage)
  }
}
