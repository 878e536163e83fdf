import type { AppEvent, FromHost, ToEngineHost } from '../../engine/contract/index.ts'
import type { Process, Switchboard } from './switchboard.ts'

type Answer = Exclude<FromHost, { readonly event: AppEvent }>
/** Without the number that tells messages apart, which is given here. */
type Question = ToEngineHost extends infer M ? (M extends ToEngineHost ? Omit<M, 'ask'> : never) : never

export interface HostEvents {
  readonly onEvent: (event: AppEvent) => void
  /** The host ended (false), or is there again (true). */
  readonly onConnection: (connected: boolean) => void
}

/** A host that ends as soon as it is started will not be started for ever. */
const [mostStarts, withinMilliseconds] = [4, 60_000]

/** The engine's host, started again when it ends: windows stay, and a run that was under way is one to resume. */
export class EngineHost {
  readonly #switchboard: Switchboard
  readonly #entry: URL
  readonly #events: HostEvents
  readonly #waiting = new Map<number, { readonly request: string; readonly settle: (answer: Answer) => void }>()
  readonly #starts: number[] = []
  #store: string
  #process: Process | undefined
  #next = 0
  #closed = false

  constructor(switchboard: Switchboard, entry: URL, store: string, events: HostEvents) {
    this.#switchboard = switchboard
    this.#entry = entry
    this.#store = store
    this.#events = events
    this.#start()
  }

  get store(): string {
    return this.#store
  }

  /** Answers of the engine's host; one that has ended answers with an error. */
  ask(question: Question): Promise<Answer> {
    const ask = this.#next++
    return new Promise((settle) => {
      if (this.#process === undefined) settle(lost(ask, 'The engine ended several times in a minute. Restart the app; the library is unharmed.'))
      else {
        this.#waiting.set(ask, { request: 'request' in question ? question.request : 'sound', settle })
        this.#process.send({ ...question, ask } satisfies ToEngineHost)
      }
    })
  }

  /** Goes on with another library. */
  open(store: string): void {
    this.#store = store
    this.#process?.kill()
  }

  close(): void {
    this.#closed = true
    this.#process?.kill()
  }

  #start(): void {
    const now = Date.now()
    this.#starts.push(now)
    const started = this.#switchboard.start(this.#entry, [this.#store], {
      onMessage: (message) => this.#hear(message as FromHost),
      onEnd: (how) => {
        if (this.#process !== started) return
        this.#process = undefined
        for (const [ask, { settle }] of this.#waiting) settle(lost(ask, `The engine's host ended (${how}) and is started again; a run under way can be resumed.`))
        this.#waiting.clear()
        if (this.#closed) return
        this.#events.onConnection(false)
        if (this.#starts.filter((start) => start > Date.now() - withinMilliseconds).length >= mostStarts) return
        this.#start()
        this.#events.onConnection(true)
      },
    })
    this.#process = started
  }

  #hear(message: FromHost): void {
    if ('event' in message) this.#events.onEvent(message.event)
    else {
      this.#waiting.get(message.answer)?.settle(message)
      this.#waiting.delete(message.answer)
    }
  }
}

const lost = (ask: number, message: string): Answer => ({ answer: ask, error: { name: 'EngineEndedError', message } })
