import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorkshop, type Workshop } from '../cli/testing/command.ts'
import type { AppAnswers, AppArguments, AppRequest, ConversionInput, RunEntry } from '../contract/index.ts'
import { openWorkbench, type Workbench } from './index.ts'

let workbench: Workbench
let workshop: Workshop
let folder: string
let model: string
let data: string

const ask = <R extends AppRequest>(request: R, args: AppArguments<R>): Promise<AppAnswers[R]> => workbench.ask(request, args) as Promise<AppAnswers[R]>
const runOf = async (id: string): Promise<RunEntry> => (await ask('library', {})).runs.find((run) => run.id === id)!
const until = async (id: string, fits: (run: RunEntry) => boolean): Promise<RunEntry> => {
  for (;;) {
    const run = await runOf(id)
    if (fits(run)) return run
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const conversion = (name: string, updates: number): ConversionInput => ({
  name,
  teacher: model,
  train: data,
  dev: data,
  guidance: { guidance: 'target', layerwiseWeight: 1, outputWeight: 0.25 },
  mixer: { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 },
  training: { updates, batchSeconds: 2, schedule: { peak: 1e-3, warmupUpdates: 2, decay: 'none', floor: 0 }, weightDecay: 0, clipNorm: 1, freezeFrontend: true, evaluateEvery: 5, seed: 1 },
  chosen: { recipe: null, origins: { 'training.updates': 'app' } },
})

beforeAll(async () => {
  workshop = await openWorkshop()
  folder = await mkdtemp(join(tmpdir(), 'cald-workbench-'))
  workbench = await openWorkbench(join(folder, 'store'))
})
afterAll(() => workbench.close())

test('what would be imported is shown first, and nothing is entered by looking', async () => {
  const before = (await ask('library', {})).models.length
  const found = await ask('checkModel', { path: workshop.model })
  expect(found).toMatchObject({ name: 'model', kind: 'transformer', known: null, facts: { parameters: workshop.weights.layout.size } })
  expect(found.files.map(({ name }) => name)).toContain('model.safetensors')
  expect((await ask('checkData', { path: workshop.manifest })).facts.utterances).toBe(8)
  expect((await ask('library', {})).models).toHaveLength(before)
  model = (await ask('importModel', { path: workshop.model })).id
  data = (await ask('importData', { path: workshop.manifest })).id
  expect((await ask('checkModel', { path: workshop.model })).known).toBe('model')
})

test('a model shows its tokens and card, and the bundled teacher records the source', async () => {
  const vocabulary = JSON.parse(await readFile(join(workshop.model, 'vocab.json'), 'utf8')) as Record<string, number>
  const { tokens } = await ask('modelDetails', { id: model })
  expect(tokens).toEqual(Object.keys(vocabulary).sort((a, b) => vocabulary[a]! - vocabulary[b]!))
  const { models } = await ask('library', {})
  const [teacher, source] = ['Digits teacher', 'Source model'].map((name) => models.find((one) => one.name === name)!)
  expect(teacher!.recorded!.sourceSha256).toBe(source!.recorded!.weightsSha256)
  expect((await ask('modelDetails', { id: teacher!.id })).card).toContain('license:')
})

test('a copy goes out under a free name, the model stays as it is', async () => {
  const before = await readFile(join(workshop.model, 'model.safetensors'))
  const [first, second] = [await ask('exportModel', { id: model, format: 'safetensors', precision: 'float32', path: folder }), await ask('exportModel', { id: model, format: 'safetensors', precision: 'float16', path: folder })]
  expect([first.out, second.out]).toEqual([join(folder, 'model'), join(folder, 'model-float16')])
  expect((await ask('exportModel', { id: model, format: 'safetensors', precision: 'float32', path: folder })).out).toBe(join(folder, 'model-2'))
  const onnx = await ask('exportModel', { id: model, format: 'onnx', precision: 'float32', path: folder })
  expect((await stat(onnx.out)).size).toBe(onnx.bytes)
  expect(onnx.agreement!.sameToken).toBe(1)
  expect(await readFile(join(workshop.model, 'model.safetensors'))).toEqual(before)
})

test('a corpus is divided into parts of the library', async () => {
  const parts = await ask('splitData', { id: data, dev: 0.25, test: 0.25, by: 'utterance', seed: 2 })
  expect(parts.map(({ split }) => [split!.of, split!.part])).toEqual([[data, 'train'], [data, 'dev'], [data, 'test']])
  expect(parts.reduce((total, { facts }) => total + facts.utterances, 0)).toBe(8)
})

test('a rehearsal says what a conversion takes', async () => {
  const { updates, seconds, hostBytes, machine, parts } = await ask('estimateConversion', conversion('Rehearsed', 100))
  expect(updates).toBe(100)
  expect(seconds.total).toBeCloseTo(seconds.features + seconds.updates + seconds.evaluations + seconds.checkpoints, 6)
  expect(hostBytes).toBeGreaterThan(parts.weights + parts.optimiser)
  expect(machine.memoryBytes).toBeGreaterThan(hostBytes)
  await expect(ask('estimateConversion', { ...conversion('Wrong', 100), mixer: { expand: 1, dState: 4, dConv: 4, headdim: 7, ngroups: 1 } })).rejects.toThrow('headdim')
  expect((await ask('library', {})).runs).toEqual([])
})

test('a paused run holds the queue, keeps what it did, and goes on where it was', async () => {
  const first = await ask('startConversion', conversion('First', 60))
  const second = await ask('startConversion', conversion('Second', 5))
  await until(first.id, ({ update }) => update >= 6)
  await ask('pauseRun', { id: first.id })
  const paused = await until(first.id, ({ state }) => state !== 'running')
  expect(paused).toMatchObject({ state: 'paused', error: undefined })
  // Its memory goes back.
  await expect.poll(() => workbench.enginePids().runs).toBe(undefined)
  await expect(ask('moveStore', { path: join(folder, 'elsewhere') })).rejects.toThrow('expected nothing under way')
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect((await runOf(second.id)).state).toBe('queued')
  await ask('resumeRun', { id: first.id })
  expect(await until(first.id, ({ state }) => state === 'done' || state === 'failed')).toMatchObject({ state: 'done', update: 60, error: undefined })
  expect(await until(second.id, ({ state }) => state === 'done' || state === 'failed')).toMatchObject({ state: 'done', update: 5 })
  const { update, clock, memoryBytes, log } = await ask('metrics', { id: first.id })
  expect(update).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
  expect(clock[0]).toBe(0)
  expect(clock.every((value, i) => i === 0 || value! >= clock[i - 1]!)).toBe(true)
  expect(memoryBytes.every((value) => value > 2 ** 20)).toBe(true)
  const kinds = log.map(({ event }) => event.kind)
  expect(kinds.filter((kind) => kind === 'evaluation')).toHaveLength(12)
  expect(log.some(({ event }) => event.kind === 'note' && event.message.includes('stopped after update'))).toBe(true)
  expect(JSON.parse(await readFile(join(first.path, 'run.json'), 'utf8'))).toMatchObject({ origins: { 'training.updates': 'app' } })
}, 120_000)

test('a run leaves the list and comes back; one under way does not', async () => {
  const [{ id }] = (await ask('library', {})).runs as [RunEntry]
  await ask('removeRun', { id })
  expect((await runOf(id)).removed).toBe(true)
  await ask('restoreRun', { id })
  expect((await runOf(id)).removed).toBe(false)
})

test('the trash deletes the files of what was made here, never those of what was imported', async () => {
  const student = (await ask('library', {})).models.find(({ origin }) => origin === 'run')!
  await expect(ask('deleteModel', { id: student.id })).rejects.toThrow('expected a model in the trash')
  for (const id of [student.id, model]) await ask('removeModel', { id })
  await ask('deleteModel', { id: student.id })
  await ask('deleteModel', { id: model })
  await expect(stat(student.path)).rejects.toThrow('ENOENT')
  expect((await readdir(workshop.model)).length).toBeGreaterThan(3)
  const bundled = (await ask('library', {})).models.find(({ origin }) => origin === 'bundled')!
  await ask('removeModel', { id: bundled.id })
  await expect(ask('deleteModel', { id: bundled.id })).rejects.toThrow('comes with the app')
  await ask('restoreModel', { id: bundled.id })
})

test('the library moves as a whole, and is found again from where it was', async () => {
  const before = await ask('library', {})
  await expect(ask('moveStore', { path: join(folder, 'store', 'inside') })).rejects.toThrow('outside the library')
  await expect(ask('moveStore', { path: workshop.model })).rejects.toThrow('expected an empty or new folder')
  const to = join(folder, 'moved', 'library')
  await ask('moveStore', { path: to })
  expect((await ask('choices', {})).store).toBe(to)
  expect(await readdir(join(folder, 'store'))).toEqual(['moved.json'])
  await workbench.close()
  workbench = await openWorkbench(join(folder, 'store'))
  const after = await ask('library', {})
  expect(after.runs.map(({ path }) => path)).toEqual(before.runs.map(({ path }) => path.replace(join(folder, 'store'), to)))
  const part = after.data.find(({ split }) => split?.part === 'train')!
  expect((await ask('utterances', { data: part.id, search: '', offset: 0, limit: 10 })).total).toBe(part.facts.utterances)
  const done = after.runs.find(({ state }) => state === 'done')!
  expect((await ask('metrics', { id: done.id })).update.length).toBe(done.update)
})
