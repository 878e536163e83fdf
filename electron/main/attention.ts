import { Notification, powerSaveBlocker } from 'electron'
import type { Library, RunEntry } from '../../engine/contract/index.ts'

const ended: Partial<Record<RunEntry['state'], string>> = { done: 'The conversion is done.', failed: 'The conversion failed.', interrupted: 'The conversion was interrupted; it can be resumed.' }

/** Keeps the machine awake while a run is under way, and says when one has ended. */
export class Attention {
  #blocker: number | undefined
  #running: ReadonlySet<string> = new Set()

  get running(): boolean {
    return this.#running.size > 0
  }

  hear({ runs }: Library): void {
    const running = new Set(runs.filter(({ state }) => state === 'running').map(({ id }) => id))
    for (const { id, name, state } of runs) {
      const body = ended[state]
      if (this.#running.has(id) && !running.has(id) && body !== undefined) new Notification({ title: name, body }).show()
    }
    this.#running = running
    if (running.size > 0) this.#blocker ??= powerSaveBlocker.start('prevent-app-suspension')
    else this.sleep()
  }

  /** Lets the machine sleep again. */
  sleep(): void {
    if (this.#blocker !== undefined) powerSaveBlocker.stop(this.#blocker)
    this.#blocker = undefined
  }
}
