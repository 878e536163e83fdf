import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve, sep } from 'node:path'
import { readJson, requireEmptyFolder, writeFileAtomic, writeFolderAtomic } from '../checkpoint/index.ts'
import { preferencesSchema, type ComparisonEntry, type DataEntry, type FirstMinute, type Library, type ModelEntry, type RunEntry } from '../contract/index.ts'
import { ConfigError, UsageError } from '../errors.ts'

/** Where the library lies unless another folder is named. */
export const defaultStore = (): string => join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'cald-studio')

/** In the folder that a library was moved from: where it is now. */
const pointer = 'moved.json'

const isUnder = (folder: string, path: string): boolean => path === folder || path.startsWith(folder + sep)

/** The folder that a library lies in, wherever it was moved to. */
const movedTo = async (folder: string): Promise<string> => {
  let at = resolve(folder)
  const seen = new Set<string>()
  while (!seen.has(at)) {
    seen.add(at)
    const found = (await readJson(join(at, pointer))) as { movedTo?: unknown } | undefined
    if (typeof found?.movedTo !== 'string') break
    at = found.movedTo
  }
  return at
}

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
  #folder: string
  #library: Library
  #saving: Promise<void> = Promise.resolve()
  readonly #watchers = new Set<(library: Library) => void>()
  #told: NodeJS.Timeout | undefined

  private constructor(folder: string, library: Library) {
    this.#folder = folder
    this.#library = library
  }

  /** Opens or makes a library; a run that was running when its host ended is one to resume. ConfigError when library.json is not one. */
  static async open(named: string): Promise<Store> {
    const folder = await movedTo(named)
    await mkdir(folder, { recursive: true })
    const path = join(folder, 'library.json')
    const stored = (await readJson(path)) as Partial<Library> | undefined
    if (stored !== undefined && !Array.isArray(stored.models)) throw new ConfigError(`${path}: expected a library, found something else`)
    const { models = [], data = [], runs = [], comparisons = [] } = stored ?? {}
    const ended = 'the app ended while it ran'
    return new Store(folder, {
      models,
      data,
      runs: runs.map((run) => ({
        ...run,
        // A library of an older version has no devices.
        conversion: { ...run.conversion, device: (run.conversion as Partial<typeof run.conversion>).device ?? 'auto' },
        ...(run.state === 'running' || run.state === 'queued' ? { state: 'interrupted', error: ended } : {}),
      })),
      comparisons: comparisons.map((one) => ({
        ...one,
        ...(one.state === 'running' ? { state: 'failed', error: ended } : {}),
        ...(one.latency?.state === 'running' ? { latency: { ...one.latency, state: 'failed', error: ended } } : {}),
      })),
      firstMinute: stored?.firstMinute?.state === 'done' ? stored.firstMinute : nothing,
      preferences: preferencesSchema.parse(stored?.preferences ?? {}),
    })
  }

  get folder(): string {
    return this.#folder
  }

  get library(): Library {
    return this.#library
  }

  path(...parts: string[]): string {
    return join(this.#folder, ...parts)
  }

  /** Whether a path lies in the library's own folder. */
  holds(path: string): boolean {
    return isUnder(this.#folder, resolve(path))
  }

  /**
   * Moves the library to an empty or new folder: copied there whole, then opened there, then deleted here, where a file says where it went. UsageError while something
   * is under way, and for a folder inside the library.
   */
  async moveTo(path: string): Promise<void> {
    const [old, wanted] = [resolve(this.#folder), resolve(path)]
    const { runs, comparisons, firstMinute } = this.#library
    if (firstMinute.state === 'running' || [...runs, ...comparisons].some(({ state }) => state === 'running' || state === 'queued')) throw new UsageError('expected nothing under way while the library moves; stop or pause what is running first')
    if (isUnder(old, wanted)) throw new UsageError(`expected a folder outside the library, found ${wanted}`)
    await requireEmptyFolder(wanted)
    await this.settled()
    const moved = JSON.parse(JSON.stringify(this.#library), (_, value: unknown) => (typeof value === 'string' && isUnder(old, value) ? wanted + value.slice(old.length) : value)) as Library
    await writeFolderAtomic(wanted, async (temporary) => {
      for (const name of await readdir(old)) if (name !== pointer) await cp(join(old, name), join(temporary, name), { recursive: true, preserveTimestamps: true })
      await writeFileAtomic(join(temporary, 'library.json'), `${JSON.stringify(moved, null, 1)}\n`)
    })
    await writeFileAtomic(join(old, pointer), `${JSON.stringify({ movedTo: wanted })}\n`)
    this.#folder = wanted
    await this.change(moved)
    for (const name of await readdir(old)) if (name !== pointer) await rm(join(old, name), { recursive: true, force: true })
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

  /** Puts an entry into the trash, or takes it out again: what its owner asked for, which is taken back where it cannot be saved. */
  setRemoved(part: Part, id: string, removed: boolean): Promise<void> {
    return this.put(part, { ...this.get(part, id), removed })
  }

  #place<P extends Part>(part: P, entry: Entries[P], options?: { passing: boolean }): Promise<void> {
    const others = this.#library[part] as readonly Entries[P][]
    const known = others.some((one) => one.id === entry.id)
    return this.change({ [part]: known ? others.map((one) => (one.id === entry.id ? entry : one)) : [...others, entry] }, options)
  }

  drop(part: Part, id: string): Promise<void> {
    this.get(part, id)
    return this.change({ [part]: (this.#library[part] as readonly { id: string }[]).filter((one) => one.id !== id) })
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
