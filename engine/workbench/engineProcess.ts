import { setPriority } from 'node:os'
import type { JobContext } from '../jobs/index.ts'
import { messageOf } from '../errors.ts'
import { engineJobs } from './engineJobs.ts'
import type { FromEngine, ToEngine } from './engineLink.ts'

/** The process that computes. Its host starts it, asks for jobs, and goes on without it when it ends. */
const tell = (message: FromEngine): void => void process.send?.(message)
const running = new Map<number, AbortController>()

process.on('message', (message: ToEngine) => {
  if ('stop' in message) {
    running.get(message.stop)?.abort()
    return
  }
  const abort = new AbortController()
  running.set(message.ask, abort)
  const job = engineJobs[message.job] as (settings: unknown, context: JobContext) => Promise<unknown>
  job(message.settings, { signal: abort.signal, onEvent: (event) => tell({ ask: message.ask, event }) })
    .then(
      (result) => tell({ ask: message.ask, result }),
      (error: unknown) => tell({ ask: message.ask, error: { name: error instanceof Error ? error.name : 'Error', message: messageOf(error) } }),
    )
    .finally(() => running.delete(message.ask))
    .catch((error: unknown) => {
      throw error
    })
})

// Without its host nobody would see what it computes.
process.on('disconnect', () => process.exit())
// A window stays quick while the engine computes.
setPriority(10)
