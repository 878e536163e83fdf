import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeSafetensors, type NamedTensor } from '../checkpoint/index.ts'
import { CheckpointError } from '../errors.ts'
import { openDevice } from '../runtime/index.ts'
import { useSwiftShader } from '../runtime/testing/swiftShader.ts'
import { createModel, Inference, openModel, openToRun, parseWav2Vec2Config, saveModel, studentModelType, viewOf, type SpeechBatch, type SpeechModel } from './index.ts'
import { tinyGroupNorm, tinyLayerNorm, tinyMixer } from './testing/tiny.ts'

const noAdapter = useSwiftShader()
const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

/** As wide as matrices must be to stay in their file. */
const wide = { hidden_size: 128, intermediate_size: 192, initializer_range: 0.1 }
const student = { model_type: studentModelType, mixer: { ...tinyMixer, headdim: 64 } }
const models: Readonly<Record<string, SpeechModel>> = {
  teacher: createModel(parseWav2Vec2Config({ ...tinyGroupNorm, ...wide, model_type: 'wav2vec2' }, 'config'), 1),
  student: createModel(parseWav2Vec2Config({ ...tinyLayerNorm, ...wide, ...student, conv_bias: true }, 'config'), 2),
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-stored-'))
})
afterAll(() => rm(folder, { recursive: true }))

const files = { preprocessor: undefined, vocabulary: undefined, tokenizer: undefined }
const saved = async (model: SpeechModel, name: string, precision: 'float32' | 'float16' = 'float32'): Promise<string> => {
  const path = join(folder, name)
  await saveModel(path, model, files, { precision })
  return path
}

const batchOf = (...lengths: number[]): SpeechBatch => {
  const width = Math.max(...lengths)
  const data = Float32Array.from({ length: lengths.length * width }, (_, i) => (i % width < lengths[Math.floor(i / width)]! ? Math.sin(12.9898 * i) * Math.cos(78.233 * i) : 0))
  return { data, shape: [lengths.length, width], lengths: Int32Array.from(lengths) }
}
/** Alone, in a padded batch, alone again. */
const batches = [batchOf(900), batchOf(700, 333), batchOf(512)]

/** The largest difference of logits between a model as it was opened and one whose parameters are all in memory, of their largest magnitude. */
const difference = async (opened: ConstructorParameters<typeof Inference>[1], model: SpeechModel, on = device, heard = batches): Promise<number> => {
  const [found, expected] = [new Inference(on, opened), new Inference(device, model)]
  let [worst, largest] = [0, 0]
  for (const batch of heard) {
    const [a, b] = [await found.run(batch), await expected.run(batch)]
    expect([a.frames, a.lengths]).toEqual([b.frames, b.lengths])
    const width = b.logits.length / batch.lengths.length / b.frames
    b.lengths.forEach((frames, row) => {
      for (let i = row * b.frames * width; i < (row * b.frames + frames) * width; i++) {
        worst = Math.max(worst, Math.abs(a.logits[i]! - b.logits[i]!))
        largest = Math.max(largest, Math.abs(b.logits[i]!))
      }
    })
  }
  await Promise.all([found.dispose(), expected.dispose()])
  expect(largest).toBeGreaterThan(0.01)
  return worst / largest
}

describe('a model whose weights stay in their files gives the logits of one that is in memory', () => {
  for (const [name, model] of Object.entries(models)) {
    it(name, async () => {
      const opened = await openToRun(await saved(model, name))
      if (!('stored' in opened)) throw new Error('expected weights in their file')
      expect(opened.stored.parts.size).toBeGreaterThanOrEqual(4)
      expect(await difference(opened, model)).toBeLessThan(3e-6)
    })
  }

  it('in shards that links point to, as the hub keeps them', async () => {
    const model = models.teacher!
    const [cache, path] = [join(folder, 'blobs'), join(folder, 'sharded')]
    await saveModel(path, model, files)
    await rm(join(path, 'model.safetensors'))
    await mkdir(cache)
    const tensors = model.layout.places.map((place): NamedTensor => ({ name: place.name, shape: place.shape, data: viewOf(model.parameters, place) }))
    const half = Math.floor(tensors.length / 2)
    const shards = [tensors.slice(0, half), tensors.slice(half)]
    const shardName = (i: number): string => `model-0000${i + 1}-of-00002.safetensors`
    for (const [i, shard] of shards.entries()) {
      await writeSafetensors(join(cache, `blob${i}`), shard)
      await symlink(join(cache, `blob${i}`), join(path, shardName(i)))
    }
    await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ weight_map: Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, shardName(i)]))) }))
    const opened = await openToRun(path)
    expect('stored' in opened && new Set([...opened.stored.parts.values()].map((part) => part.path)).size).toBe(2)
    expect(await difference(opened, model)).toBeLessThan(3e-6)
  })

  it.skipIf(noAdapter !== undefined)('on a device with a memory of its own', async () => {
    const gpu = openDevice('webgpu')
    const opened = await openToRun(await saved(models.teacher!, 'gpu'))
    expect(await difference(opened, models.teacher!, gpu, [batches[1]!])).toBeLessThan(1e-4)
    await gpu.dispose()
  })
})

it('reads weights that do not stand in their file as float32', async () => {
  const path = await saved(models.teacher!, 'float16', 'float16')
  const opened = await openToRun(path)
  if (!('parameters' in opened)) throw new Error('expected weights in memory')
  expect(opened.parameters).toEqual((await openModel(path)).parameters)
})

const narrow = createModel(parseWav2Vec2Config({ ...tinyGroupNorm, model_type: 'wav2vec2' }, 'config'), 3)

it('refuses shards of which one without a matrix in its file was replaced', async () => {
  const [path, other] = [join(folder, 'narrow shard'), createModel(narrow.config, 9)]
  const write = async (file: string, { layout, parameters }: SpeechModel): Promise<void> =>
    writeSafetensors(file, layout.places.map((place) => ({ name: place.name, shape: place.shape, data: viewOf(parameters, place) })))
  await saveModel(path, narrow, files)
  await rm(join(path, 'model.safetensors'))
  await write(join(path, 'a.safetensors'), narrow)
  await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ weight_map: Object.fromEntries(narrow.layout.places.map(({ name }) => [name, 'a.safetensors'])) }))
  const opened = await openToRun(path)
  await write(join(path, 'a.safetensors'), other)
  await expect(new Inference(device, opened).prepare()).rejects.toThrow(/a\.safetensors: expected the weights that were opened/)
})

it.each([['matrices in their file', models.teacher!], ['none as large as that', narrow]])('refuses weights that were replaced since they were opened: %s', async (name, model) => {
  const path = await saved(model, `replaced, ${name}`)
  const opened = await openToRun(path)
  const other = await saved(createModel(model.config, 9), `other, ${name}`)
  await rename(join(other, 'model.safetensors'), join(path, 'model.safetensors'))
  const inference = new Inference(device, opened)
  await expect(inference.run(batches[0]!)).rejects.toThrow(CheckpointError)
  await expect(inference.run(batches[0]!)).rejects.toThrow(/model\.safetensors: expected the weights that were opened, found other ones/)
  await rm(path, { recursive: true })
  await expect(new Inference(device, opened).run(batches[0]!)).rejects.toThrow(CheckpointError)
})
