/**
 * The app behind its windows: a library on disk, conversions one after the other in an engine process of their own, comparisons in another,
 * and the handler of each request of the contract. A transport (`serve/`, the desktop's host) only carries messages.
 */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import { appRequests, type AppEvent, type AppHandlers, type AppRequest, type DataEntry, type FromHost, type ParsedArguments } from '../contract/index.ts'
import { messageOf, UsageError } from '../errors.ts'
import { packageRoot } from '../jobs/bundled.ts'
import { Comparisons } from './comparisons.ts'
import { Corpora } from './corpora.ts'
import { EngineLink } from './engineLink.ts'
import { startFirstMinute } from './firstMinute.ts'
import { listFolder } from './folders.ts'
import { metricsOf } from './metrics.ts'
import { addBundled, importModel } from './models.ts'
import { addRecording, addSample } from './recordings.ts'
import { RunQueue } from './runQueue.ts'
import { Store } from './store.ts'

export { defaultStore } from './store.ts'

export interface Workbench {
  /** Answers a request; what is thrown is for the window to show. */
  readonly ask: (request: string, args: unknown) => Promise<unknown>
  readonly watch: (watcher: (event: AppEvent) => void) => () => void
  /** One utterance of a corpus of the library as a WAV file. */
  readonly wav: (data: string, utterance: number) => Promise<Uint8Array>
  /** Process ids of the engine: of runs, and of everything else. */
  readonly enginePids: () => { readonly runs: number | undefined; readonly desk: number | undefined }
  readonly close: () => Promise<void>
}

/** What a transport says of a request, whether it went well or not. */
export const answered = (ask: number, result: Promise<unknown>): Promise<FromHost> =>
  result.then(
    (value) => ({ answer: ask, result: value }),
    (error: unknown) => ({ answer: ask, error: { name: error instanceof Error ? error.name : 'Error', message: messageOf(error) } }),
  )

/** Arguments of a request; UsageError says which one holds what. */
const parse = <R extends AppRequest>(request: R, args: unknown): ParsedArguments<R> => {
  const parsed = appRequests[request].safeParse(args)
  if (parsed.success) return parsed.data as ParsedArguments<R>
  const [issue] = parsed.error.issues
  throw new UsageError(`${request}: ${issue!.path.join('.') || 'arguments'}: ${issue!.message}`)
}

const { version } = createRequire(import.meta.url)(`${packageRoot()}/package.json`) as { version: string }

export const openWorkbench = async (folder: string): Promise<Workbench> => {
  const store = await Store.open(folder)
  const [runEngine, desk] = [new EngineLink(), new EngineLink()]
  const watchers = new Set<(event: AppEvent) => void>()
  const tell = (event: AppEvent): void => watchers.forEach((watcher) => watcher(event))
  const corpora = new Corpora()
  const queue = new RunQueue(store, runEngine, tell)
  const comparisons = new Comparisons(store, desk)
  store.watch((library) => tell({ kind: 'library', library }))
  const engineFacts = desk.run('describeEngine', undefined)
  engineFacts.catch(() => undefined)
  await addBundled(store, desk)
  await addSample(store, desk)

  const addData = async (path: string, name?: string): Promise<DataEntry> => {
    const full = resolve(path)
    const known = store.library.data.find((data) => data.path === full)
    if (known !== undefined && !known.removed && name === undefined) throw new UsageError(`${full} is in the library already, as ${known.name}`)
    const called = name ?? (['manifest.jsonl', 'metadata.csv'].includes(basename(full)) ? basename(dirname(full)) : basename(full).replace(/\.(jsonl|csv|tsv)$/i, ''))
    const facts = await desk.run('describeData', full)
    const entry: DataEntry = { id: known?.id ?? store.freeId(called), name: called, path: full, addedAt: known?.addedAt ?? new Date().toISOString(), removed: false, facts }
    await store.put('data', entry)
    return entry
  }
  const dataPath = (id: string): string => store.get('data', id).path
  const gone = (): null => null

  const handlers: AppHandlers = {
    library: () => Promise.resolve(store.library),
    choices: async () => ({ version, store: store.folder, cores: availableParallelism(), ...(await engineFacts) }),
    setPreferences: async (preferences) => {
      await store.change({ preferences })
      return preferences
    },
    listFolder: ({ path }) => listFolder(path),
    importModel: ({ path }) => importModel(store, desk, path),
    removeModel: ({ id }) => store.edit('models', id, { removed: true }).then(gone),
    restoreModel: ({ id }) => store.edit('models', id, { removed: false }).then(gone),
    importData: ({ path }) => addData(path),
    removeData: ({ id }) => store.edit('data', id, { removed: true }).then(gone),
    restoreData: ({ id }) => store.edit('data', id, { removed: false }).then(gone),
    utterances: ({ data, ...what }) => corpora.rows(dataPath(data), what),
    peaks: ({ data, utterance, buckets }) => corpora.peaks(dataPath(data), utterance, buckets),
    startConversion: (conversion) => queue.start(conversion),
    stopRun: ({ id }) => queue.stop(id).then(gone),
    resumeRun: ({ id }) => queue.resume(id).then(gone),
    metrics: ({ id }) => metricsOf(store.get('runs', id).path),
    startFirstMinute: () => startFirstMinute({ store, engine: desk, queue, comparisons, addData }).then(gone),
    startComparison: async (pair) => {
      const { id, over } = await comparisons.start(pair)
      // Its failure stands in the library.
      over.catch(() => undefined)
      return { id }
    },
    comparison: ({ id }) => comparisons.read(id),
    removeComparison: ({ id }) => store.edit('comparisons', id, { removed: true }).then(gone),
    restoreComparison: ({ id }) => store.edit('comparisons', id, { removed: false }).then(gone),
    importRecording: ({ path }) => addRecording(store, desk, path),
    measureLatency: ({ id, ...what }) => comparisons.measureLatency(id, what).then(gone),
    comparisonPage: ({ id }) => comparisons.page(id, corpora),
  }

  return {
    ask: async (request, args) => {
      if (!Object.hasOwn(handlers, request)) throw new UsageError(`expected a request of the contract, found ${JSON.stringify(request.slice(0, 60))}`)
      const name = request as AppRequest
      return (handlers[name] as (parsed: unknown) => Promise<unknown>)(parse(name, args))
    },
    watch: (watcher) => {
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    wav: (data, utterance) => corpora.wav(dataPath(data), utterance),
    enginePids: () => ({ runs: runEngine.pid, desk: desk.pid }),
    close: async () => {
      runEngine.close()
      desk.close()
      await store.settled().catch((error: unknown) => void process.stderr.write(`cald: ${messageOf(error)}\n`))
    },
  }
}
