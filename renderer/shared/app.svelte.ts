import type { Choices, Library, ModelEntry } from '../../engine/contract/index.ts'
import { ask, onConnection, onEngineEvent } from '../bridge.ts'

/** What every screen shares: the library as the engine tells it, the address, notices with undo. */
interface Importing {
  readonly kind: 'model' | 'data'
  /** What was dropped; else it is asked for. */
  readonly path?: string | undefined
}

interface Toast {
  readonly id: number
  readonly text: string
  readonly undo: (() => Promise<unknown>) | undefined
  readonly bad: boolean
  readonly link: { readonly to: string; readonly label: string } | undefined
}

class App {
  library = $state.raw<Library>()
  choices = $state.raw<Choices>()
  connected = $state(true)
  failure = $state('')
  toasts = $state.raw<readonly Toast[]>([])
  /** What is being imported, the first of it just now. */
  importing = $state.raw<readonly Importing[]>([])
  route = $state.raw<readonly string[]>(['home'])
  #next = 0

  open(): void {
    const read = (): void => {
      this.route = location.hash.replace(/^#\/?/, '').split('/').filter((part) => part !== '')
      if (this.route.length === 0) this.route = ['home']
    }
    read()
    addEventListener('hashchange', read)
    onEngineEvent((event) => {
      if (event.kind === 'library') this.library = event.library
    })
    onConnection((connected) => {
      this.connected = connected
      if (connected) void this.load()
    })
    void this.load()
  }

  async load(): Promise<void> {
    try {
      this.library = await ask('library', {})
      this.choices = await ask('choices', {})
      this.failure = ''
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error)
    }
  }

  get models(): readonly ModelEntry[] {
    return this.library?.models.filter(({ removed }) => !removed) ?? []
  }

  /** Its name, also after it was removed. */
  modelName(id: string): string {
    return this.library?.models.find((model) => model.id === id)?.name ?? id
  }

  dataName(id: string): string {
    return this.library?.data.find((data) => data.id === id)?.name ?? id
  }

  /** Said in the dialog that opens when files were dropped whose paths nobody knows. */
  dropHint = $state('')

  import(kind: Importing['kind'], path?: string, hint = ''): void {
    this.dropHint = hint
    this.importing = [...this.importing, { kind, path }]
  }

  importNext(): void {
    this.importing = this.importing.slice(1)
  }

  /** Says something in a corner; `notify`: also to a person who looks elsewhere, where the browser was allowed to. */
  say(text: string, { undo, bad = false, link, notify = false }: { undo?: () => Promise<unknown>; bad?: boolean; link?: Toast['link']; notify?: boolean } = {}): void {
    const id = this.#next++
    this.toasts = [...this.toasts, { id, text, undo, bad, link }]
    if (notify && document.hidden && 'Notification' in globalThis && Notification.permission === 'granted') new Notification('CALD Studio', { body: text })
    setTimeout(() => this.dismiss(id), 12_000)
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id)
  }

  /** Does something the user asked for; says what went wrong. */
  async attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action()
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), { bad: true })
      return undefined
    }
  }
}

export const app = new App()
export const go = (...parts: string[]): void => {
  location.hash = `/${parts.join('/')}`
}
