import { availableParallelism } from 'node:os'
import { readJson } from '../checkpoint/index.ts'
import type { AppEvent, Conversion, JobEvent, RunEntry, RunState } from '../contract/index.ts'
import { EngineEndedError, messageOf, UsageError } from '../errors.ts'
import type { EngineLink } from './engineLink.ts'
import { addModel } from './models.ts'
import type { Store } from './store.ts'

/** Conversions one after the other, in an engine that may be killed: what it had written stands, and the run offers to resume. */
export class RunQueue {
  readonly #store: Store
  readonly #engine: EngineLink
  readonly #tell: (event: AppEvent) => void
  #active: { readonly id: string; readonly abort: AbortController } | undefined
  readonly #ends = new Map<string, ((run: RunEntry) => void)[]>()

  constructor(store: Store, engine: EngineLink, tell: (event: AppEvent) => void) {
    this.#store = store
    this.#engine = engine
    this.#tell = tell
  }

  async start(conversion: Conversion): Promise<RunEntry> {
    const { store } = { store: this.#store }
    for (const model of [conversion.teacher, conversion.source ?? conversion.teacher]) store.get('models', model)
    for (const corpus of [conversion.train, conversion.dev]) store.get('data', corpus)
    const id = store.freeId(conversion.name)
    const createdAt = new Date().toISOString()
    const run: RunEntry = { id, name: conversion.name, path: store.path('runs', id), state: 'queued', conversion, createdAt, update: 0, wer: undefined, stage: undefined, secondsLeft: undefined, error: undefined, student: undefined }
    await store.put('runs', run)
    this.#next()
    return run
  }

  async resume(id: string): Promise<void> {
    const { state, name } = this.#store.get('runs', id)
    if (state === 'running' || state === 'queued' || state === 'done') throw new UsageError(`expected a run that stopped, found ${name} ${state}`)
    await this.#store.edit('runs', id, { state: 'queued', error: undefined })
    this.#next()
  }

  async stop(id: string): Promise<void> {
    const { state, name } = this.#store.get('runs', id)
    if (state === 'queued') {
      await this.#end(id, { state: 'stopped' })
      return
    }
    if (this.#active?.id !== id) throw new UsageError(`expected a run under way, found ${name} ${state}`)
    await this.#store.edit('runs', id, { stage: 'stopping: writing a checkpoint' })
    this.#active.abort.abort()
  }

  /** The run once it is over, however it ended. */
  ended(id: string): Promise<RunEntry> {
    return new Promise((resolve) => this.#ends.set(id, [...(this.#ends.get(id) ?? []), resolve]))
  }

  #next(): void {
    if (this.#active !== undefined) return
    const run = this.#store.library.runs.find(({ state }) => state === 'queued')
    if (run === undefined) return
    const abort = new AbortController()
    this.#active = { id: run.id, abort }
    this.#run(run, abort.signal)
      .catch((error: unknown) => this.#end(run.id, { state: stateAfter(error), error: stateAfter(error) === 'stopped' ? undefined : messageOf(error) }))
      .catch(() => undefined)
      .finally(() => {
        this.#active = undefined
        this.#next()
      })
      .catch(() => undefined)
  }

  async #run({ id, name, path, conversion }: RunEntry, signal: AbortSignal): Promise<void> {
    const store = this.#store
    await store.edit('runs', id, { state: 'running', stage: 'checking models and data', secondsLeft: undefined })
    const { teacher, source, train, dev, guidance, mixer, training } = conversion
    // A folder without run.json holds nothing to go on from.
    const begun = (await readJson(`${path}/run.json`)) !== undefined
    const result = await this.#engine.run(
      'convert',
      {
        teacher: store.get('models', teacher).path,
        source: source === undefined ? undefined : store.get('models', source).path,
        train: [store.get('data', train).path],
        dev: [store.get('data', dev).path],
        out: path,
        resume: begun,
        text: { case: 'auto', unknown: 'error' },
        guidance,
        mixer,
        training,
        device: 'auto',
        threads: store.library.preferences.threads ?? availableParallelism(),
      },
      { signal, onEvent: (event) => this.#hear(id, event) },
    )
    const { id: student } = await addModel(store, this.#engine, result.best.path, { name: `${name} (student)`, origin: 'run', run: id, teacher, data: train })
    await this.#end(id, { state: 'done', update: result.updates, wer: result.best.wer, student })
  }

  #hear(id: string, event: JobEvent): void {
    this.#tell({ kind: 'run', id, event })
    const changes: Partial<RunEntry> | undefined =
      event.kind === 'update'
        ? { update: event.update, secondsLeft: event.secondsLeft, stage: undefined }
        : event.kind === 'progress'
          ? { stage: `${event.stage} ${event.done} of ${event.total}` }
          : event.kind === 'evaluation'
            ? { wer: event.wer }
            : undefined
    if (changes !== undefined) void this.#store.edit('runs', id, changes, { passing: true })
  }

  async #end(id: string, changes: Partial<RunEntry>): Promise<void> {
    try {
      await this.#store.edit('runs', id, { stage: undefined, secondsLeft: undefined, ...changes })
    } finally {
      // Over is over, whether there was room to write it down or not.
      const run = this.#store.get('runs', id)
      for (const resolve of this.#ends.get(id) ?? []) resolve(run)
      this.#ends.delete(id)
    }
  }
}

/** Whether what ended a run lets it be resumed as it was. */
const stateAfter = (error: unknown): RunState => {
  if (error instanceof EngineEndedError) return 'interrupted'
  return error instanceof Error && error.name === 'InterruptedError' ? 'stopped' : 'failed'
}
