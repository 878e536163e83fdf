/**
 * The app behind its windows: a library on disk, conversions one after the other in an engine process of their own, comparisons in another,
 * and the handler of each request of the contract. A transport (`serve/`, the desktop's host) only carries messages.
 */
import { createRequire } from 'node:module'
import { rm, statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { appRequests, type AppEvent, type AppHandlers, type AppRequest, type ConversionEstimate, type DataEntry, type FromHost, type ParsedArguments } from '../contract/index.ts'
import { messageOf, UsageError } from '../errors.ts'
import { packageRoot } from '../jobs/bundled.ts'
import { Comparisons } from './comparisons.ts'
import { Corpora } from './corpora.ts'
import { EngineLink } from './engineLink.ts'
import { startFirstMinute } from './firstMinute.ts'
import { listFolder } from './folders.ts'
import { metricsOf } from './metrics.ts'
import { addBundled, checkModel, deleteModel, exportTo, importModel, modelDetails } from './models.ts'
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
  // A rehearsal has a process of its own: what it measures is the memory of that process, and it may be ended at any time.
  const [runEngine, desk, rehearsal] = [new EngineLink({ keepsMemory: true }), new EngineLink(), new EngineLink({ keepsMemory: true })]
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

  const nameOf = (full: string): string => (['manifest.jsonl', 'metadata.csv'].includes(basename(full)) ? basename(dirname(full)) : basename(full).replace(/\.(jsonl|csv|tsv)$/i, ''))
  const addData = async (path: string, name?: string, split?: DataEntry['split']): Promise<DataEntry> => {
    const full = resolve(path)
    const known = store.library.data.find((data) => data.path === full)
    if (known !== undefined && !known.removed && name === undefined) throw new UsageError(`${full} is in the library already, as ${known.name}`)
    const called = name ?? nameOf(full)
    const facts = await desk.run('describeData', full)
    const entry: DataEntry = { id: known?.id ?? store.freeId(called), name: called, path: full, addedAt: known?.addedAt ?? new Date().toISOString(), removed: false, facts, ...(split === undefined ? {} : { split }) }
    await store.put('data', entry)
    return entry
  }
  const splitData = async ({ id, ...how }: ParsedArguments<'splitData'>): Promise<DataEntry[]> => {
    const whole = store.get('data', id)
    const out = store.path('splits', store.freeId(`${id}-parts`))
    const parts = await desk.run('split', { data: whole.path, out, home: store.folder, ...how })
    const entries: DataEntry[] = []
    for (const part of parts) entries.push(await addData(join(out, `${part}.jsonl`), `${whole.name} · ${part}`, { of: id, part, by: how.by, seed: how.seed }))
    return entries
  }
  const deleteData = async (id: string): Promise<void> => {
    const { name, removed, path, split } = store.get('data', id)
    if (!removed) throw new UsageError(`expected data in the trash, found ${name} in the library`)
    await store.drop('data', id)
    // Of the user's own data nothing is deleted; a manifest of a split was written here.
    if (split !== undefined && store.holds(path)) await rm(path, { force: true })
  }
  let rehearsals = 0
  const estimateOf = async (conversion: ParsedArguments<'estimateConversion'>): Promise<ConversionEstimate> => {
    rehearsal.close()
    const turn = ++rehearsals
    const estimate = await rehearsal.run('estimate', { ...queue.settingsOf(conversion), out: store.path('runs', 'rehearsal'), resume: false }).finally(() => {
      // One that a later estimate ended must not end that one's process.
      if (turn === rehearsals) rehearsal.close()
    })
    const { bavail, bsize } = await statfs(store.folder)
    return { ...estimate, machine: { memoryBytes: totalmem(), freeDiskBytes: bavail * bsize } }
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
    checkModel: ({ path }) => checkModel(store, desk, path),
    modelDetails: ({ id }) => modelDetails(store.get('models', id)),
    exportModel: (what) => exportTo(store, desk, what, store.library.preferences.threads ?? availableParallelism()),
    deleteModel: ({ id }) => deleteModel(store, id).then(gone),
    importModel: ({ path }) => importModel(store, desk, path),
    removeModel: ({ id }) => store.setRemoved('models', id, true).then(gone),
    restoreModel: ({ id }) => store.setRemoved('models', id, false).then(gone),
    checkData: async ({ path }) => {
      const full = resolve(path)
      return { name: nameOf(full), path: full, facts: await desk.run('describeData', full), known: store.library.data.find((data) => data.path === full && !data.removed)?.name ?? null }
    },
    splitData,
    deleteData: ({ id }) => deleteData(id).then(gone),
    importData: ({ path }) => addData(path),
    removeData: ({ id }) => store.setRemoved('data', id, true).then(gone),
    restoreData: ({ id }) => store.setRemoved('data', id, false).then(gone),
    utterances: ({ data, ...what }) => corpora.rows(dataPath(data), what),
    peaks: ({ data, utterance, buckets }) => corpora.peaks(dataPath(data), utterance, buckets),
    estimateConversion: estimateOf,
    cancelEstimate: () => {
      rehearsal.close()
      return Promise.resolve(null)
    },
    pauseRun: ({ id }) => queue.pause(id).then(gone),
    removeRun: ({ id }) => queue.remove(id).then(gone),
    restoreRun: ({ id }) => store.setRemoved('runs', id, false).then(gone),
    moveStore: ({ path }) => store.moveTo(path).then(gone),
    startConversion: (conversion) => queue.start(conversion),
    stopRun: ({ id }) => queue.stop(id).then(gone),
    resumeRun: ({ id }) => queue.resume(id).then(gone),
    metrics: ({ id }) => metricsOf(store.get('runs', id).path, queue.log(id)),
    startFirstMinute: () => startFirstMinute({ store, engine: desk, queue, comparisons, addData }).then(gone),
    startComparison: async (pair) => {
      const { id, over } = await comparisons.start(pair)
      // Its failure stands in the library.
      over.catch(() => undefined)
      return { id }
    },
    comparison: ({ id }) => comparisons.read(id),
    removeComparison: ({ id }) => store.setRemoved('comparisons', id, true).then(gone),
    restoreComparison: ({ id }) => store.setRemoved('comparisons', id, false).then(gone),
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
      rehearsal.close()
      await store.settled().catch((error: unknown) => void process.stderr.write(`cald: ${messageOf(error)}\n`))
    },
  }
}
