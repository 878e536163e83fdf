import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { wav } from '../audio/testing/wav.ts'
import { cald, openWorkshop, type Workshop } from './testing/command.ts'
import { badData, badModels, type BadData, type BadModel } from './testing/spoilt.ts'

let shop: Workshop
let models: BadModel[]
let data: BadData[]
beforeAll(async () => {
  shop = await openWorkshop()
  models = await badModels(shop)
  data = await badData(shop, wav)
})

/** Exit code 2, one line on standard error that says `message`, nothing on standard output. */
const refused = async (args: readonly string[], message: string): Promise<void> => {
  const { code, stdout, stderr } = await cald(...args)
  const what = `cald ${args.join(' ')}: ${stderr}`
  expect(code, what).toBe(2)
  expect(stdout, what).toBe('')
  expect(stderr.trim().split('\n').length, what).toBe(1)
  expect(stderr).toMatch(/^cald: /)
  expect(stderr, what).toContain(message)
}

/** So many commands at a time. */
const refusedAll = async (cases: readonly (readonly [readonly string[], string])[]): Promise<void> => {
  const queue = [...cases]
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await refused(...next)
  }
  await Promise.all([worker(), worker(), worker()])
}

let outs = 0
const fresh = (): string => join(shop.folder, `out-${++outs}`)
const finetune = (model: string, train: string, dev: string, out: string): string[] => ['finetune', '--model', model, '--train', train, '--dev', dev, '--out', out, '--steps', '1']
const convert = (teacher: string, train: string, dev: string, out: string, ...more: string[]): string[] => [
  ...['convert', '--teacher', teacher, '--train', train, '--dev', dev, '--out', out, '--steps', '1', '--headdim', '8', '--d-state', '4'],
  ...(more.length === 0 ? ['--guidance', 'target'] : more),
]

describe('bad input ends with exit code 2, one clear line, and nothing written', { timeout: 300_000 }, () => {
  type OfModel = (model: string, out: string) => string[]
  it.each<[string, OfModel]>([
    ['inspect', (model) => ['inspect', model]],
    ['evaluate', (model) => ['evaluate', '--model', model, '--data', shop.manifest]],
    ['transcribe', (model) => ['transcribe', '--model', model, shop.recording]],
    ['finetune', (model, out) => finetune(model, shop.manifest, shop.manifest, out)],
    ['convert, of the teacher', (model, out) => convert(model, shop.manifest, shop.manifest, out)],
    ['convert, of the source', (model, out) => convert(shop.model, shop.manifest, shop.manifest, out, '--guidance', 'unguided', '--source', model)],
    ['compare', (model) => ['compare', '--models', shop.model, model, '--data', shop.manifest]],
    ['benchmark', (model) => ['benchmark', '--models', shop.model, model, '--durations', '1']],
    ['export', (model, out) => ['export', '--model', model, '--out', `${out}.onnx`]],
  ])('a model that is wrong in any way: %s', async (_, command) => {
    const out = fresh()
    await refusedAll(models.map(({ folder, message }) => [command(folder, out), message] as const))
    for (const path of [out, `${out}.onnx`]) expect(existsSync(path)).toBe(false)
  })

  type OfData = (manifest: string, out: string) => string[]
  it.each<[string, OfData]>([
    ['evaluate', (manifest) => ['evaluate', '--model', shop.model, '--data', manifest]],
    ['compare', (manifest) => ['compare', '--models', shop.model, `${shop.model}/.`, '--data', manifest]],
    ['finetune, for training', (manifest, out) => finetune(shop.model, manifest, shop.manifest, out)],
    ['finetune, for development', (manifest, out) => finetune(shop.model, shop.manifest, manifest, out)],
    ['convert, for training', (manifest, out) => convert(shop.model, manifest, shop.manifest, out)],
    ['convert, for development', (manifest, out) => convert(shop.model, shop.manifest, manifest, out)],
  ])('data that is wrong in any way: %s', async (name, command) => {
    const out = fresh()
    await refusedAll((name.endsWith('training') ? data : data.slice(0, -1)).map(({ manifest, message }) => [command(manifest, out), message] as const))
    expect(existsSync(out)).toBe(false)
  })

  it('recordings to transcribe', async () => {
    const transcribe = (file: string): string[] => ['transcribe', '--model', shop.model, join(shop.folder, file)]
    await refusedAll([
      [transcribe('empty.wav'), 'found an empty file'],
      [transcribe('text.wav'), 'expected a WAV file'],
      [transcribe('silent.wav'), 'found none'],
      [transcribe('gone.wav'), 'expected a recording'],
    ])
  })

  it('an output that is not empty', async () => {
    const out = fresh()
    await mkdir(out)
    const precious = join(out, 'precious.txt')
    await writeFile(precious, 'keep me')
    await refusedAll([
      [finetune(shop.model, shop.manifest, shop.manifest, out), 'expected an empty or new folder'],
      [convert(shop.model, shop.manifest, shop.manifest, out), 'expected an empty or new folder'],
      [['synthesise', '--digits', '1', '--out', out], 'expected an empty or new folder'],
      [['demo', '--out', out], 'expected an empty or new folder'],
      [['export', '--model', shop.model, '--out', precious], 'precious.txt'],
      [['report', shop.folder, '--out', precious], 'precious.txt: expected a new file'],
    ])
    expect(await readFile(precious, 'utf8')).toBe('keep me')
  })

  it('bad flags, an unknown command', async () => {
    const out = fresh()
    const run = finetune(shop.model, shop.manifest, shop.manifest, out)
    await refusedAll([
      [[...run, '--steps', 'many'], '--steps'],
      [[...run, '--config', shop.config], 'expected either --model or --config'],
      [['convrt'], 'unknown command'],
      [['serve', '--port', '80000'], 'a port from 0 to 65535, found 80000'],
      [['benchmark', '--models', shop.model, '--durations', '10,x'], '--durations'],
      [['report', shop.folder], 'found no run.json'],
      [['compare', '--models', shop.model, '--data', shop.manifest], '--models: expected two models'],
      [['compare', '--models', shop.model, shop.model, '--data', shop.manifest], 'expected two different models'],
      [['synthesise', '--out', out], 'expected either --digits or --texts'],
      [['synthesise', '--out', out, '--texts', join(shop.folder, 'gone.txt')], 'gone.txt'],
      [['evaluate', '--model', shop.model, '--data', shop.manifest, '--device', 'webgpu'], '--device webgpu'],
    ])
    expect(existsSync(out)).toBe(false)
  })
})
