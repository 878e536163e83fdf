import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeSafetensors } from '../checkpoint/index.ts'
import { viewOf } from '../models/index.ts'
import { wav } from '../audio/testing/wav.ts'
import { cald, openWorkshop, tinyConfig, type Workshop } from './testing/command.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})

let copies = 0
/** A copy of the model with one file spoilt. */
const spoilt = async (spoil: (folder: string) => Promise<void>): Promise<string> => {
  const folder = join(shop.folder, `spoilt-${++copies}`)
  await cp(shop.model, folder, { recursive: true })
  await spoil(folder)
  return folder
}

const rewriteWeights = (change: (tensors: { name: string; shape: readonly number[]; data: Float32Array }[]) => typeof tensors) => (folder: string) => {
  const { layout, parameters } = shop.weights
  return writeSafetensors(join(folder, 'model.safetensors'), change(layout.places.map((place) => ({ name: place.name, shape: place.shape, data: viewOf(parameters, place) }))))
}

const manifestOf = async (content: string): Promise<string> => {
  const path = join(shop.folder, `manifest-${++copies}.jsonl`)
  await writeFile(path, content)
  return path
}

/** Exit code 2, one line on standard error that says all of `parts`, nothing on standard output. */
const refused = async (args: readonly string[], ...parts: string[]): Promise<void> => {
  const { code, stdout, stderr } = await cald(...args)
  expect(code, stderr).toBe(2)
  expect(stdout).toBe('')
  expect(stderr.trim().split('\n').length, stderr).toBe(1)
  expect(stderr).toMatch(/^cald: /)
  for (const part of parts) expect(stderr).toContain(part)
}

const run = (model: string, manifest: string, out: string): string[] => ['finetune', '--model', model, '--train', manifest, '--dev', manifest, '--out', out, '--steps', '1']
const fresh = (): string => join(shop.folder, `out-${++copies}`)

describe('bad input ends with exit code 2, one clear line, and nothing written', () => {
  it('a model folder that is not there, or lacks a file', async () => {
    await refused(['inspect', join(shop.folder, 'nowhere')], 'nowhere: expected a model folder')
    const without = await spoilt((folder) => writeFile(join(folder, 'config.json'), '').then(() => truncate(join(folder, 'config.json'), 0)))
    await refused(['inspect', without], 'config.json: expected JSON')
  })

  it('a truncated safetensors', async () => {
    const model = await spoilt(async (folder) => truncate(join(folder, 'model.safetensors'), (await readFile(join(folder, 'model.safetensors'))).length - 100))
    await refused(['evaluate', '--model', model, '--data', shop.manifest], 'model.safetensors', 'truncated')
  })

  it('a missing, a misshapen and a strange tensor, by name', async () => {
    const missing = await spoilt(rewriteWeights((tensors) => tensors.filter(({ name }) => name !== 'lm_head.bias')))
    const misshapen = await spoilt(rewriteWeights((tensors) => tensors.map((tensor) => (tensor.name === 'lm_head.weight' ? { ...tensor, shape: [16, 8] } : tensor))))
    const strange = await spoilt(rewriteWeights((tensors) => [...tensors, { name: 'wav2vec2.adapter.weight', shape: [1], data: new Float32Array(1) }]))
    await Promise.all([
      refused(['inspect', missing], 'expected tensor lm_head.bias of shape [8], found none'),
      refused(['inspect', misshapen], 'tensor lm_head.weight: expected shape [8, 16], found [16, 8]'),
      refused(['inspect', strange], 'found wav2vec2.adapter.weight'),
    ])
  })

  it('a configuration of another architecture', async () => {
    const model = await spoilt((folder) => writeFile(join(folder, 'config.json'), JSON.stringify({ ...tinyConfig, model_type: 'whisper' })))
    await refused(['inspect', model], "model_type: expected 'wav2vec2'", 'found "whisper"')
  })

  it('a vocabulary that does not fit the head', async () => {
    const model = await spoilt((folder) => writeFile(join(folder, 'vocab.json'), JSON.stringify({ '<pad>': 0, A: 1 })))
    await refused(['evaluate', '--model', model, '--data', shop.manifest], 'vocab.json: expected 8 tokens', 'found 2')
  })

  it('a manifest that is not there, and a line that is not JSON, numbered', async () => {
    const out = fresh()
    await refused(run(shop.model, join(shop.folder, 'no.jsonl'), out), 'no.jsonl: expected a manifest')
    await refused(run(shop.model, await manifestOf(`{"audio_filepath":"0.wav","text":"A"}\nnonsense`), out), '.jsonl:2: expected a JSON object, found "nonsense"')
    expect(existsSync(out)).toBe(false)
  })

  it('an empty, an unreadable and a missing WAV', async () => {
    await writeFile(join(shop.folder, 'empty.wav'), '')
    await writeFile(join(shop.folder, 'text.wav'), 'this is no recording at all, but it is long enough to be one')
    await writeFile(join(shop.folder, 'silent.wav'), wav(0, 100))
    const out = fresh()
    for (const [file, message] of [['empty.wav', 'found an empty file'], ['text.wav', 'expected a WAV file'], ['silent.wav', 'found none'], ['gone.wav', 'expected a recording']] as const) {
      await refused(run(shop.model, await manifestOf(`{"audio_filepath":"${file}","text":"A","duration":1}`), out), '.jsonl:1: ', file, message)
    }
    expect(existsSync(out)).toBe(false)
  })

  it('an output folder that is not empty', async () => {
    const out = fresh()
    await mkdir(out)
    await writeFile(join(out, 'precious.txt'), 'keep me')
    await refused(run(shop.model, shop.manifest, out), 'expected an empty or new folder', 'precious.txt')
    await refused(['synthesise', '--digits', '1', '--out', out], 'expected an empty or new folder', 'precious.txt')
    await refused(['report', shop.folder, '--out', join(out, 'precious.txt')], 'precious.txt: expected a new file')
    expect(await readFile(join(out, 'precious.txt'), 'utf8')).toBe('keep me')
  })

  it('a transcript outside the vocabulary, bad flags, an unknown command', async () => {
    const out = fresh()
    await Promise.all([
      refused(run(shop.model, await manifestOf('{"audio_filepath":"0.wav","text":"ÄX"}'), out), '.jsonl:1: expected characters of the vocabulary, found "Ä"'),
      refused([...run(shop.model, shop.manifest, out), '--steps', 'many'], '--steps'),
      refused([...run(shop.model, shop.manifest, out), '--config', shop.config], 'expected either --model or --config'),
      refused(['convrt'], 'unknown command'),
      refused(['benchmark', '--models', join(shop.folder, 'nowhere')], 'nowhere: expected a model folder'),
      refused(['benchmark', '--models', shop.model, '--durations', '10,x'], '--durations'),
      refused(['report', shop.folder], 'found no run.json'),
      refused(['compare', '--models', shop.model, '--data', shop.manifest], '--models: expected two models'),
      refused(['compare', '--models', shop.model, shop.model, '--data', shop.manifest], 'expected two different models'),
      refused(['demo', '--out', shop.folder], 'expected an empty or new folder'),
      refused(['synthesise', '--out', out], 'expected either --digits or --texts'),
      refused(['synthesise', '--out', out, '--texts', join(shop.folder, 'gone.txt')], 'gone.txt'),
      refused(['evaluate', '--model', shop.model, '--data', shop.manifest, '--device', 'webgpu'], '--device webgpu'),
    ])
    expect(existsSync(out)).toBe(false)
  })
})
