import { availableParallelism } from 'node:os'
import { readJson, writeFileAtomic } from '../checkpoint/index.ts'
import type { ComparedLatency, Comparison, ComparisonEntry } from '../contract/index.ts'
import { messageOf, MissingFileError, UsageError } from '../errors.ts'
import { comparisonPage } from '../report/index.ts'
import type { Corpora } from './corpora.ts'
import type { EngineLink } from './engineLink.ts'
import type { Store } from './store.ts'

/** Seconds of speech in an HTML page: about five megabytes. */
const mostSoundSeconds = 120

/** Compares two models on a corpus and keeps the result; the same pair on the same corpus replaces the older one. */
export class Comparisons {
  readonly #store: Store
  readonly #engine: EngineLink

  constructor(store: Store, engine: EngineLink) {
    this.#store = store
    this.#engine = engine
  }

  /** Begins; `over` resolves when it is in the library, and rejects with what stopped it. */
  async start({ first, second, data }: { first: string; second: string; data: string }): Promise<{ id: string; over: Promise<void> }> {
    if (first === second) throw new UsageError('expected two different models, found the same one twice')
    const store = this.#store
    for (const model of [first, second]) store.get('models', model)
    store.get('data', data)
    const older = store.library.comparisons.find((one) => one.first === first && one.second === second && one.data === data)
    if (older?.state === 'running') throw new UsageError('expected one comparison of this pair at a time, found it under way')
    const entry: ComparisonEntry = { id: older?.id ?? store.freeId(`compare ${first} ${second}`), first, second, data, createdAt: new Date().toISOString(), state: 'running', progress: 0, error: undefined, removed: false }
    await store.put('comparisons', entry)
    const over = this.#run(entry).catch(async (error: unknown) => {
      await store.edit('comparisons', entry.id, { state: 'failed', error: messageOf(error) })
      throw error
    })
    return { id: entry.id, over }
  }

  async read(id: string): Promise<Comparison> {
    this.#store.get('comparisons', id)
    const path = this.#file(id)
    const found = await readJson(path)
    if (found === undefined) throw new MissingFileError(`${path}: expected a comparison, found none; run it again`)
    return { ...(found as Comparison), latency: (await readJson(this.#file(`${id}.latency`))) as ComparedLatency | undefined }
  }

  /** Begins to measure both models over lengths of speech (seconds); the result is part of the comparison, the course stands in the library. */
  async measureLatency(id: string, { durations, repeats }: { durations: readonly number[]; repeats: number }): Promise<void> {
    const store = this.#store
    const { first, second, latency } = store.get('comparisons', id)
    if (latency?.state === 'running') throw new UsageError('expected one measurement of this pair at a time, found it under way')
    const models = [store.get('models', first).path, store.get('models', second).path] as const
    const say = (changes: Partial<NonNullable<ComparisonEntry['latency']>>, passing = false): Promise<void> =>
      store.edit('comparisons', id, { latency: { state: 'running', progress: 0, error: undefined, ...changes } }, { passing })
    await say({})
    this.#engine
      .run(
        'benchmark',
        { models, durations: [...new Set(durations)].sort((a, b) => a - b), repeats, recording: undefined, device: store.library.preferences.device, threads: this.#threads() },
        { onEvent: (event) => { if (event.kind === 'progress') void say({ progress: event.done / event.total }, true) } },
      )
      .then(async ({ device, threads, points, failures }) => {
        const turn = (model: string): 0 | 1 => (model === models[0] ? 0 : 1)
        const measured: ComparedLatency = {
          device,
          threads,
          points: points.map(({ model, duration, latency: seconds, peakBytes }) => ({ model: turn(model), duration, latency: seconds, peakBytes })),
          failures: failures.map(({ model, duration, error }) => ({ model: turn(model), duration, error })),
        }
        await writeFileAtomic(this.#file(`${id}.latency`), JSON.stringify(measured))
        await say({ state: 'done', progress: 1 })
      })
      .catch((error: unknown) => say({ state: 'failed', error: messageOf(error) }))
      .catch(() => undefined)
  }

  /** The comparison as an HTML page, its most different utterances to be heard. */
  async page(id: string, corpora: Corpora): Promise<string> {
    const comparison = await this.read(id)
    const { library } = this.#store
    const nameOf = (entries: readonly { id: string; name: string }[], wanted: string): string => entries.find((entry) => entry.id === wanted)?.name ?? wanted
    const data = this.#store.get('data', comparison.data)
    const sounds = new Map<number, Uint8Array>()
    let seconds = 0
    for (const { index, distance, seconds: long } of comparison.utterances) {
      if (distance === 0 || (seconds += long) > mostSoundSeconds) break
      sounds.set(index, await corpora.wav(data.path, index))
    }
    return comparisonPage({ comparison, names: [nameOf(library.models, comparison.first), nameOf(library.models, comparison.second)], data: data.name, sounds })
  }

  #threads(): number {
    return this.#store.library.preferences.threads ?? availableParallelism()
  }

  #file(id: string): string {
    return this.#store.path('comparisons', `${id}.json`)
  }

  async #run({ id, first, second, data }: ComparisonEntry): Promise<void> {
    const store = this.#store
    const result = await this.#engine.run(
      'sideBySide',
      {
        models: [store.get('models', first).path, store.get('models', second).path],
        data: store.get('data', data).path,
        batchSeconds: 60,
        text: { case: 'auto', unknown: 'error' },
        device: store.library.preferences.device,
        threads: this.#threads(),
      },
      {
        onEvent: (event) => {
          if (event.kind === 'progress') void store.edit('comparisons', id, { progress: event.done / event.total }, { passing: true })
        },
      },
    )
    await writeFileAtomic(this.#file(id), JSON.stringify({ id, first, second, data, ...result } satisfies Comparison))
    for (const [i, model] of [first, second].entries()) {
      const { wer, cer, realTimeFactor } = result.models[i]!
      if (wer === undefined || cer === undefined) continue
      const others = store.get('models', model).evaluations.filter((evaluation) => evaluation.data !== data)
      await store.edit('models', model, { evaluations: [...others, { data, wer, cer, realTimeFactor }] })
    }
    await store.edit('comparisons', id, { state: 'done', progress: 1 })
  }
}
