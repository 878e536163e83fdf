import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../engine/checkpoint/atomic.ts'

const schema = z.object({
  /** The library's folder. */
  store: z.string().min(1).catch(''),
  /** Where the window stood. */
  bounds: z.object({ x: z.int(), y: z.int(), width: z.int().min(1024), height: z.int().min(700) }).optional().catch(undefined),
})
type Kept = z.infer<typeof schema>

/** What the desktop remembers between starts, desktop.json in the user's folder: where the library lies, and where the window stood. What cannot be read is as if it had never been written. */
export class Places {
  readonly #path: string
  #kept: Kept

  private constructor(path: string, kept: Kept) {
    this.#path = path
    this.#kept = kept
  }

  static async open(folder: string): Promise<Places> {
    const path = join(folder, 'desktop.json')
    const kept = await readFile(path, 'utf8')
      .then((text) => schema.parse(JSON.parse(text)))
      .catch((): Kept => ({ store: '' }))
    return new Places(path, kept.store === '' ? { ...kept, store: join(folder, 'library') } : kept)
  }

  get store(): string {
    return this.#kept.store
  }

  get bounds(): Kept['bounds'] {
    return this.#kept.bounds
  }

  async keep(change: Partial<Kept>): Promise<void> {
    this.#kept = { ...this.#kept, ...change }
    await writeFileAtomic(this.#path, `${JSON.stringify(this.#kept, null, 2)}\n`)
  }
}
