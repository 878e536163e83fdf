import type { JobContext } from '../jobs/index.ts'
import { showProgress } from './progress.ts'

/** Runs a job with progress on standard error and its result on standard output, as JSON or in words. */
export const present = async <T>(json: boolean | undefined, job: (context: JobContext) => Promise<T>, inWords: (result: T) => string): Promise<T> => {
  const abort = new AbortController()
  const stop = (): void => {
    // A second signal ends the process at once, as it would without a handler.
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
    abort.abort()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const progress = showProgress(process.stderr)
  try {
    const result = await job({ signal: abort.signal, onEvent: progress.onEvent })
    progress.end()
    const words = json === true ? JSON.stringify(result) : inWords(result)
    if (words !== '') process.stdout.write(`${words}\n`)
    return result
  } finally {
    progress.end()
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
  }
}
