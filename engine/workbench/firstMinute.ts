import { stat } from 'node:fs/promises'
import { conversionSchema, type DataEntry, type FirstMinute, type RunEntry } from '../contract/index.ts'
import { messageOf, UsageError } from '../errors.ts'
import { bundledModel } from '../jobs/bundled.ts'
import type { Comparisons } from './comparisons.ts'
import type { EngineLink } from './engineLink.ts'
import type { RunQueue } from './runQueue.ts'
import type { Store } from './store.ts'

/** What a new user's first button does: speech made here, the bundled teacher converted on it, and both compared on voices that no training heard. */
const corpora = [
  { split: 'train', name: 'Digits, training', digits: 120, voices: ['kal', 'kal16', 'awb', 'slt'], seed: 11 },
  { split: 'dev', name: 'Digits, development', digits: 16, voices: ['kal', 'kal16', 'awb', 'slt'], seed: 12 },
  { split: 'test', name: 'Digits, another voice', digits: 24, voices: ['rms'], seed: 13 },
] as const
const updates = 120
const stretches = { speech: 0.2, conversion: 0.65, comparison: 0.15 }

export const firstConversion = (teacher: string, source: string | undefined, train: string, dev: string): ReturnType<typeof conversionSchema.parse> =>
  conversionSchema.parse({
    name: 'First conversion',
    teacher,
    ...(source === undefined ? {} : { source }),
    train,
    dev,
    guidance: { guidance: 'target', layerwiseWeight: 3.75, outputWeight: 0.25 },
    mixer: { expand: 1, dState: 32, dConv: 4, headdim: 32, ngroups: 1 },
    training: {
      updates,
      batchSeconds: 20,
      schedule: { peak: 1e-3, warmupUpdates: 12, decay: 'cosine', floor: 1e-5 },
      weightDecay: 0.005,
      clipNorm: 1,
      freezeFrontend: true,
      evaluateEvery: 30,
      seed: 1,
    },
  })

interface Parts {
  readonly store: Store
  readonly engine: EngineLink
  readonly queue: RunQueue
  readonly comparisons: Comparisons
  readonly addData: (path: string, name: string) => Promise<DataEntry>
}

/** Begins; its course stands in the library. UsageError while one is under way. */
export const startFirstMinute = async (parts: Parts): Promise<void> => {
  const { store } = parts
  if (store.library.firstMinute.state === 'running') throw new UsageError('the first conversion is under way already')
  await say(store, { state: 'running', step: 'making speech', progress: 0, comparison: undefined, error: undefined })
  course(parts)
    .then((comparison) => say(store, { state: 'done', step: '', progress: 1, comparison }))
    .catch((error: unknown) => say(store, { state: 'failed', error: messageOf(error) }))
    .catch(() => undefined)
}

const say = (store: Store, changes: Partial<FirstMinute>, passing = false): Promise<void> => store.change({ firstMinute: { ...store.library.firstMinute, ...changes } }, { passing })

const course = async (parts: Parts): Promise<string> => {
  const { store, queue, comparisons } = parts
  const [train, dev, test] = await speech(parts)
  const byPath = (path: string): string | undefined => store.library.models.find((model) => model.path === path)?.id
  const teacher = byPath(bundledModel('digits'))
  if (teacher === undefined) throw new UsageError('expected the bundled digits model in the library, found none; restart to have it back')
  await say(store, { step: 'converting', progress: stretches.speech })
  const { id } = await queue.start(firstConversion(teacher, undefined, train, dev))
  const unwatch = store.watch(({ runs }) => {
    const run = runs.find((one) => one.id === id)
    if (run?.state === 'running') void say(store, { progress: stretches.speech + (stretches.conversion * run.update) / updates }, true)
  })
  const run: RunEntry = await queue.ended(id).finally(unwatch)
  if (run.state !== 'done') throw new UsageError(`${run.error ?? 'the conversion was stopped'}; it can be resumed under Runs`)
  await say(store, { step: 'comparing with the teacher', progress: stretches.speech + stretches.conversion })
  const comparison = await comparisons.start({ first: teacher, second: run.student!, data: test })
  await comparison.over
  return comparison.id
}

const speech = async ({ store, engine, addData }: Parts): Promise<[string, string, string]> => {
  const ids: string[] = []
  const total = corpora.reduce((sum, { digits }) => sum + digits, 0)
  let before = 0
  for (const { split, name, digits, voices, seed } of corpora) {
    const out = store.path('speech', split)
    const there = await stat(out).catch(() => undefined)
    const onEvent = (event: { kind: string; done?: number }): void => void (event.kind === 'progress' && say(store, { progress: (stretches.speech * (before + event.done!)) / total }, true))
    if (there === undefined) await engine.run('synthesise', { out, say: { digits }, voices, variants: 4, rate: 16000, seed }, { onEvent })
    before += digits
    ids.push((await addData(out, name)).id)
  }
  return ids as [string, string, string]
}
