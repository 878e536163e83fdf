import type { JobContext } from '../jobs/index.ts'
import { messageOf } from '../errors.ts'
import { parentProcess, yieldToOthers } from '../processes/index.ts'
import { engineJobs } from './engineJobs.ts'
import type { FromEngine, ToEngine } from './engineLink.ts'

/** The process that computes. Its host starts it, asks for jobs, and goes on without it when it ends. */
const { send, onMessage } = parentProcess()
const tell: (message: FromEngine) => void = send
const running = new Map<number, AbortController>()

onMessage((received) => {
  const message = received as ToEngine
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

// A window stays quick while the engine computes.
yieldToOthers()
