import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { normaliseAudio } from '../audio/index.ts'
import { transcripts } from '../distill/index.ts'
import { Inference, openModel, saveModel, type SpeechModel } from '../models/index.ts'
import { openDevice } from '../runtime/index.ts'
import { openReadyModel } from './context.ts'

/** What HF transformers made of a folder that `cald finetune` wrote. */
interface InTransformers {
  name: string
  recordings: FixtureTensor[]
  logits: FixtureTensor[]
  /** Of all recordings in one padded batch. */
  padded: FixtureTensor
  texts: string[]
  spellings: { ids: number[]; text: string }[]
}

const models = join(import.meta.dirname, '../../fixtures/models')
const device = openDevice('cpu', { threads: 2 })
afterAll(() => device.dispose())

const worst = (a: Float32Array, b: Float32Array): number => {
  expect(a.length).toBeLessThanOrEqual(b.length)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

/** Logits of recordings in one batch, padded with zeros. */
const run = async (model: SpeechModel, recordings: readonly Float32Array[]) => {
  const width = Math.max(...recordings.map(({ length }) => length))
  const data = new Float32Array(recordings.length * width)
  recordings.forEach((recording, b) => data.set(normaliseAudio(recording), b * width))
  const inference = new Inference(device, model, { from: 'audio', groupStatistics: 'hf' })
  const result = await inference.run({ data, shape: [recordings.length, width], lengths: Int32Array.from(recordings, ({ length }) => length) })
  await inference.dispose()
  return result
}

describe('a folder of cald finetune is to HF transformers what it is here', () => {
  for (const { name, recordings, logits, padded, texts, spellings } of readFixture<InTransformers>('finetuned')) {
    it(`${name}: logits within 1e-4, and the same text`, async () => {
      const { model, vocabulary } = await openReadyModel(join(models, name))
      const errors: number[] = []
      for (const [i, { data }] of recordings.entries()) {
        const own = await run(model, [data])
        errors.push(worst(own.logits, logits[i]!.data))
        expect(transcripts(own, vocabulary!)).toEqual([texts[i]])
      }
      const together = await run(model, recordings.map(({ data }) => data))
      const rowLength = together.frames * model.config.vocab_size
      together.lengths.forEach((frames, b) => {
        const start = b * rowLength
        errors.push(worst(together.logits.subarray(start, start + frames * model.config.vocab_size), padded.data.subarray(start)))
      })
      console.log(`${name}: largest difference ${Math.max(...errors).toExponential(1)} of logits up to ${Math.max(...together.logits.map(Math.abs)).toFixed(1)}`)
      for (const error of errors) expect(error).toBeLessThan(1e-4)
    })

    it(`${name}: spells labels as its tokenizer does`, async () => {
      const vocabulary = (await openReadyModel(join(models, name))).vocabulary!
      for (const { ids, text } of spellings) {
        const [frames, tokens] = [ids.length, vocabulary.size]
        const logits = new Float32Array(frames * tokens)
        ids.forEach((id, t) => (logits[t * tokens + id] = 1))
        // Ours makes one space of several and none at the ends.
        expect(transcripts({ batch: 1, frames, lengths: Int32Array.of(frames), logits, hiddenStates: [] }, vocabulary)).toEqual([text.replace(/ +/g, ' ').trim()])
      }
    })
  }
})

describe('the folders that were opened there are those that are written now', () => {
  it.each(['stable', 'base', 'student'])('%s', async (name) => {
    const out = join(await mkdtemp(join(tmpdir(), 'cald-folder-')), name)
    const model = await openModel(join(models, name))
    await saveModel(out, model, model.folder)
    const files = (await readdir(join(models, name))).sort()
    expect((await readdir(out)).sort()).toEqual(files)
    for (const file of files.filter((entry) => entry.endsWith('.json'))) {
      const [written, opened] = await Promise.all([join(out, file), join(models, name, file)].map(async (path) => JSON.parse(await readFile(path, 'utf8')) as unknown))
      expect(written, file).toEqual(opened)
    }
    expect((await readFile(join(out, 'model.safetensors'))).equals(await readFile(join(models, name, 'model.safetensors')))).toBe(true)
  })
})

describe('a student', () => {
  it("has the authors' names in its mixers and HF's elsewhere", async () => {
    const [student, teacher] = [await openModel(join(models, 'student')), await openModel(join(models, 'stable'))]
    const mixer = ['in_proj.weight', 'conv1d.weight', 'conv1d.bias', 'dt_bias', 'A_log', 'D', 'norm.weight', 'out_proj.weight']
    const added = [0, 1].flatMap((i) => ['fw_mamba', 'bw_mamba'].flatMap((way) => mixer.map((part) => `wav2vec2.encoder.layers.${i}.attention.${way}.${part}`)))
    const names = (model: SpeechModel): string[] => model.layout.places.map(({ name }) => name)
    expect(names(student).sort()).toEqual([...names(teacher).filter((name) => !name.includes('.attention.')), ...added].sort())
  })
})
