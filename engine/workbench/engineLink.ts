import type { JobEvent, OnEvent } from '../contract/index.ts'
import { EngineEndedError, InterruptedError } from '../errors.ts'
import { launch, type Child } from '../processes/index.ts'
import type { EngineJob, JobResult, JobSettings } from './engineJobs.ts'

export type ToEngine = { readonly ask: number; readonly job: EngineJob; readonly settings: unknown } | { readonly stop: number }
export type FromEngine =
  | { readonly ask: number; readonly event: JobEvent }
  | { readonly ask: number; readonly result: unknown }
  | { readonly ask: number; readonly error: { readonly name: string; readonly message: string } }

interface Pending {
  readonly child: Child
  readonly onEvent: OnEvent
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

/** An error of the engine's process, with its name there. */
export class EngineJobError extends Error {
  constructor({ name, message }: { name: string; message: string }) {
    super(message)
    this.name = name
  }
}

/** A process that computes, started when it is first needed and again after it ended. */
export class EngineLink {
  #child: Child | undefined
  #next = 0
  readonly #pending = new Map<number, Pending>()
  readonly #keepsMemory: boolean

  /** `keepsMemory`: as processes are launched; for jobs after which it is closed. */
  constructor({ keepsMemory = false } = {}) {
    this.#keepsMemory = keepsMemory
  }

  /** Id of the process while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Runs a job there; EngineEndedError when the process ends first, else the error that the job threw. */
  async run<J extends EngineJob>(job: J, settings: JobSettings<J>, { signal, onEvent = () => undefined }: { signal?: AbortSignal; onEvent?: OnEvent } = {}): Promise<JobResult<J>> {
    if (signal?.aborted === true) throw new InterruptedError(`stopped before ${job} began`)
    const child = this.#open()
    const ask = this.#next++
    const stop = (): void => { child.send({ stop: ask } satisfies ToEngine) }
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await new Promise<JobResult<J>>((resolve, reject) => {
        this.#pending.set(ask, { child, onEvent, resolve, reject })
        child.send({ ask, job, settings } satisfies ToEngine)
      })
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#pending.delete(ask)
    }
  }

  /** Ends the process; the next job starts another. */
  close(): void {
    this.#child?.kill()
    this.#child = undefined
  }

  #open(): Child {
    if (this.#child !== undefined) return this.#child
    const child = launch(new URL('./engineProcess', import.meta.url), {
      heard: true,
      keepsMemory: this.#keepsMemory,
      onMessage: (message) => this.#hear(message as FromEngine),
      onEnd: (how) => {
        if (this.#child === child) this.#child = undefined
        const error = new EngineEndedError(`the engine's process ended with ${how}; what it had written stands`)
        for (const [ask, { child: asked, reject }] of this.#pending) {
          if (asked !== child) continue
          this.#pending.delete(ask)
          reject(error)
        }
      },
    })
    this.#child = child
    return child
  }

  #hear(message: FromEngine): void {
    const pending = this.#pending.get(message.ask)
    if (pending === undefined) return
    if ('event' in message) pending.onEvent(message.event)
    else if ('error' in message) pending.reject(new EngineJobError(message.error))
    else pending.resolve(message.result as never)
  }
}
