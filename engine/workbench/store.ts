import { mkdir, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { readJson, writeFileAtomic } from '../checkpoint/index.ts'
import { preferencesSchema, type ComparisonEntry, type DataEntry, type FirstMinute, type Library, type ModelEntry, type RunEntry } from '../contract/index.ts'
import { ConfigError, UsageError } from '../errors.ts'

/** Where the library lies unless another folder is named. */
export const defaultStore = (): string => join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'cald-studio')

type Part = 'models' | 'data' | 'runs' | 'comparisons'
interface Entries {
  readonly models: ModelEntry
  readonly data: DataEntry
  readonly runs: RunEntry
  readonly comparisons: ComparisonEntry
}

const nothing: FirstMinute = { state: 'idle', step: '', progress: 0, comparison: undefined, error: undefined }

/** The library on disk: one JSON file beside the folders of runs, comparisons and speech made here. Everything else is referred to by path and never changed. */
export class Store {
  readonly folder: string
  #library: Library
  #saving: Promise<void> = Promise.resolve()
  readonly #watchers = new Set<(library: Library) => void>()
  #told: NodeJS.Timeout | undefined

  private constructor(folder: string, library: Library) {
    this.folder = folder
    this.#library = library
  }

  /** Opens or makes a library; a run that was running when its host ended is one to resume. ConfigError when library.json is not one. */
  static async open(folder: string): Promise<Store> {
    await mkdir(folder, { recursive: true })
    const path = join(folder, 'library.json')
    const stored = (await readJson(path)) as Partial<Library> | undefined
    if (stored !== undefined && !Array.isArray(stored.models)) throw new ConfigError(`${path}: expected a library, found something else`)
    const { models = [], data = [], runs = [], comparisons = [] } = stored ?? {}
    const ended = 'the app ended while it ran'
    return new Store(folder, {
      models,
      data,
      runs: runs.map((run) => (run.state === 'running' || run.state === 'queued' ? { ...run, state: 'interrupted', error: ended } : run)),
      comparisons: comparisons.map((one) => ({
        ...one,
        ...(one.state === 'running' ? { state: 'failed', error: ended } : {}),
        ...(one.latency?.state === 'running' ? { latency: { ...one.latency, state: 'failed', error: ended } } : {}),
      })),
      firstMinute: stored?.firstMinute?.state === 'done' ? stored.firstMinute : nothing,
      preferences: preferencesSchema.parse(stored?.preferences ?? {}),
    })
  }

  get library(): Library {
    return this.#library
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** The entry of an id; UsageError when there is none. */
  get<P extends Part>(part: P, id: string): Entries[P] {
    const entry = (this.#library[part] as readonly Entries[P][]).find((one) => one.id === id)
    if (entry === undefined) throw new UsageError(`expected one of the library's ${part}, found ${id}`)
    return entry
  }

  /** Changes the library, tells the watchers soon, and saves it; `passing` changes are not worth a write. */
  async change(changed: Partial<Library>, { passing = false } = {}): Promise<void> {
    this.#library = { ...this.#library, ...changed }
    this.#told ??= setTimeout(() => {
      this.#told = undefined
      for (const watcher of this.#watchers) watcher(this.#library)
    }, 50)
    if (passing) return
    const text = `${JSON.stringify(this.#library, null, 1)}\n`
    this.#saving = this.#saving.catch(() => undefined).then(() => writeFileAtomic(this.path('library.json'), text))
    await this.#saving
  }

  /** Enters or replaces an entry; one that cannot be saved is taken back, so that it can be tried again. */
  async put<P extends Part>(part: P, entry: Entries[P], options?: { passing: boolean }): Promise<void> {
    const before = this.#library[part].find(({ id }) => id === entry.id) as Entries[P] | undefined
    try {
      await this.#place(part, entry, options)
    } catch (error) {
      const now = this.#library[part] as readonly Entries[P][]
      if (now.includes(entry)) await this.change({ [part]: now.flatMap((one) => (one !== entry ? [one] : before === undefined ? [] : [before])) }, { passing: true })
      throw error
    }
  }

  /** Changes an entry to what has become of it, which stands even where it cannot be saved. */
  edit<P extends Part>(part: P, id: string, changes: Partial<Entries[P]>, options?: { passing: boolean }): Promise<void> {
    return this.#place(part, { ...this.get(part, id), ...changes }, options)
  }

  #place<P extends Part>(part: P, entry: Entries[P], options?: { passing: boolean }): Promise<void> {
    const others = this.#library[part] as readonly Entries[P][]
    const known = others.some((one) => one.id === entry.id)
    return this.change({ [part]: known ? others.map((one) => (one.id === entry.id ? entry : one)) : [...others, entry] }, options)
  }

  /** An id like `name` that nothing has. */
  freeId(name: string): string {
    const base = name.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 60) || 'untitled'
    const { models, data, runs, comparisons } = this.#library
    const taken = new Set([...models, ...data, ...runs, ...comparisons].map((entry) => entry.id))
    if (!taken.has(base)) return base
    for (let n = 2; ; n++) if (!taken.has(`${base}-${n}`)) return `${base}-${n}`
  }

  watch(watcher: (library: Library) => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Resolves when everything is on disk. */
  async settled(): Promise<void> {
    clearTimeout(this.#told)
    await this.#saving
  }
}

/** Files of a folder and their sizes in bytes. */
export const filesOf = async (folder: string): Promise<{ name: string; bytes: number }[]> => {
  const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile())
  return Promise.all(entries.map(async ({ name }) => ({ name, bytes: (await stat(join(folder, name))).size })))
}
