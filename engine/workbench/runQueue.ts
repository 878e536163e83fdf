import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { LineLog, readJson } from '../checkpoint/index.ts'
import type { AppEvent, Conversion, JobEvent, LogLine, RunEntry, RunState } from '../contract/index.ts'
import { EngineEndedError, messageOf, UsageError } from '../errors.ts'
import type { JobSettings } from './engineJobs.ts'
import type { EngineLink } from './engineLink.ts'
import { addModel } from './models.ts'
import type { Store } from './store.ts'

/** Conversions one after the other, in an engine that may be killed: what it had written stands, and the run offers to resume. */
export class RunQueue {
  readonly #store: Store
  readonly #engine: EngineLink
  readonly #tell: (event: AppEvent) => void
  #active: { readonly id: string; readonly abort: AbortController; pausing: boolean } | undefined
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
    await this.#store.edit('runs', id, { state: 'queued', error: undefined, removed: false })
    this.#next(state === 'paused' ? id : undefined)
  }

  /** Writes a checkpoint and frees the machine; nothing of the queue starts until the run is resumed or stopped. */
  async pause(id: string): Promise<void> {
    const { state, name } = this.#store.get('runs', id)
    if (this.#active?.id !== id) throw new UsageError(`expected a run under way, found ${name} ${state}`)
    this.#active.pausing = true
    await this.#store.edit('runs', id, { stage: 'pausing: writing a checkpoint' })
    this.#active.abort.abort()
  }

  async stop(id: string): Promise<void> {
    const { state, name } = this.#store.get('runs', id)
    if (state === 'queued' || state === 'paused') {
      await this.#end(id, { state: 'stopped' })
      this.#next()
      return
    }
    if (this.#active?.id !== id) throw new UsageError(`expected a run under way, found ${name} ${state}`)
    await this.#store.edit('runs', id, { stage: 'stopping: writing a checkpoint' })
    this.#active.pausing = false
    this.#active.abort.abort()
  }

  /** Takes a run out of sight; its files stay. UsageError for one under way. */
  async remove(id: string): Promise<void> {
    const { state, name } = this.#store.get('runs', id)
    if (state === 'running' || state === 'queued' || state === 'paused') throw new UsageError(`expected a run that is over, found ${name} ${state}; stop it first`)
    await this.#store.setRemoved('runs', id, true)
  }

  /** A conversion as the job wants it, ids by their paths. */
  settingsOf({ teacher, source, train, dev, guidance, mixer, training, device, chosen }: Conversion): Omit<JobSettings<'convert'>, 'out' | 'resume'> {
    const store = this.#store
    return {
      teacher: store.get('models', teacher).path,
      source: source === undefined ? undefined : store.get('models', source).path,
      train: [store.get('data', train).path],
      dev: [store.get('data', dev).path],
      text: { case: 'auto', unknown: 'error' },
      guidance,
      mixer,
      training,
      device,
      chosen,
      threads: store.library.preferences.threads ?? availableParallelism(),
    }
  }

  /** Where what a run says is kept. */
  log(id: string): string {
    return this.#store.path('logs', `${id}.jsonl`)
  }

  /** The run once it is over, however it ended. */
  ended(id: string): Promise<RunEntry> {
    return new Promise((resolve) => this.#ends.set(id, [...(this.#ends.get(id) ?? []), resolve]))
  }

  /** Starts the oldest run of the queue, or the one named; none while another is under way or paused. */
  #next(id?: string): void {
    const { runs } = this.#store.library
    if (this.#active !== undefined || runs.some(({ state }) => state === 'paused')) return
    const run = runs.find((one) => one.state === 'queued' && (id === undefined || one.id === id))
    if (run === undefined) return
    const abort = new AbortController()
    const active = { id: run.id, abort, pausing: false }
    this.#active = active
    this.#run(run, abort.signal)
      .catch((error: unknown) => {
        const state = stateAfter(error)
        return state === 'stopped' ? (active.pausing ? this.#hold(run.id) : this.#end(run.id, { state })) : this.#end(run.id, { state, error: messageOf(error) })
      })
      .catch(() => undefined)
      .finally(() => {
        this.#active = undefined
        // What a run took of the memory goes back, also while it is paused.
        this.#engine.close()
        this.#next()
      })
      .catch(() => undefined)
  }

  async #run(run: RunEntry, signal: AbortSignal): Promise<void> {
    const path = this.log(run.id)
    // A log that cannot be written stops no run.
    const log = await LineLog.open(path, (await stat(path).catch(() => undefined))?.size ?? 0).catch(() => undefined)
    let writing: Promise<void> = Promise.resolve()
    const keep = (event: JobEvent): void => void (writing = writing.then(() => log?.append(JSON.stringify({ at: new Date().toISOString(), event } satisfies LogLine))).catch(() => undefined))
    try {
      await this.#convert(run, signal, keep)
    } catch (error) {
      keep({ kind: 'note', message: messageOf(error) })
      throw error
    } finally {
      await writing
      await log?.close()
    }
  }

  async #convert({ id, name, path, conversion }: RunEntry, signal: AbortSignal, keep: (event: JobEvent) => void): Promise<void> {
    const store = this.#store
    await store.edit('runs', id, { state: 'running', stage: 'checking models and data', secondsLeft: undefined })
    // A folder without run.json holds nothing to go on from.
    const begun = (await readJson(`${path}/run.json`)) !== undefined
    const result = await this.#engine.run(
      'convert',
      { ...this.settingsOf(conversion), out: path, resume: begun },
      {
        signal,
        onEvent: (event) => {
          if (event.kind !== 'update' && event.kind !== 'progress') keep(event)
          this.#hear(id, event)
        },
      },
    )
    const { teacher, train: data } = conversion
    const { id: student } = await addModel(store, this.#engine, result.best.path, { name: `${name} (student)`, origin: 'run', run: id, teacher, data })
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

  /** Paused: it is not over, and whoever waits for its end goes on waiting. */
  #hold(id: string): Promise<void> {
    return this.#store.edit('runs', id, { state: 'paused', stage: undefined, secondsLeft: undefined })
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
