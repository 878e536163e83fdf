import { utilityProcess, type UtilityProcess } from 'electron'
import { fileURLToPath } from 'node:url'
import { upSchema, type Down } from '../../engine/contract/index.ts'

export interface ProcessEvents {
  readonly onMessage: (message: unknown) => void
  readonly onEnd: (how: string) => void
}

export interface Process {
  readonly pid: () => number | undefined
  readonly send: (message: unknown) => void
  readonly kill: () => void
}

/** Modules that may be started for a process which asks: those of the engine that are made to be. */
const mayStart = /\/engine\/[a-z]+\/[a-zA-Z]+Process\.(js|ts)$/

/**
 * The processes of the desktop app. Only main may start utility processes, so each asks it for those that it needs, and its messages to them pass here.
 * What a process started ends with it.
 */
export class Switchboard {
  readonly #root: string
  readonly #started = new Set<UtilityProcess>()

  /** `root`: file URL of the folder that all modules must lie in. */
  constructor(root: string) {
    this.#root = root
  }

  start(entry: URL, args: readonly string[], { onMessage, onEnd }: ProcessEvents): Process {
    const child = utilityProcess.fork(fileURLToPath(entry), [...args], { serviceName: 'CALD engine', stdio: ['ignore', 'ignore', 'inherit'] })
    const own = new Map<number, Process>()
    const tell = (message: Down): void => child.postMessage(message)
    this.#started.add(child)
    child.on('message', (received: unknown) => {
      const parsed = upSchema.safeParse(received)
      if (!parsed.success) return
      const message = parsed.data
      if ('up' in message) onMessage(message.up)
      else if ('launch' in message) this.#launch(message.launch, message.entry, own, tell)
      else if ('to' in message) own.get(message.to)?.send(message.message)
      else own.get(message.kill)?.kill()
    })
    child.once('exit', (code) => {
      this.#started.delete(child)
      for (const process of own.values()) process.kill()
      onEnd(`exit code ${code}`)
    })
    return { pid: () => child.pid, send: (message) => tell({ down: message }), kill: () => void child.kill() }
  }

  close(): void {
    for (const child of this.#started) child.kill()
  }

  #launch(id: number, entry: string, own: Map<number, Process>, tell: (message: Down) => void): void {
    if (!entry.startsWith(this.#root) || !mayStart.test(entry) || entry.includes('/../') || entry.includes('%')) {
      tell({ ended: id, how: `a refusal: ${entry} is no process of the engine` })
      return
    }
    const started = this.start(new URL(entry), [], {
      onMessage: (message) => tell({ from: id, message }),
      onEnd: (how) => {
        own.delete(id)
        tell({ ended: id, how })
      },
    })
    own.set(id, started)
    tell({ launched: id, pid: started.pid() })
  }
}
