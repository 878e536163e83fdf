import { cp, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors } from '../../checkpoint/index.ts'
import { viewOf } from '../../models/index.ts'
import { tinyConfig, type Workshop } from './command.ts'

interface Tensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

const rewriteWeights =
  (change: (tensors: Tensor[]) => Tensor[]) =>
  async (folder: string, { weights: { layout, parameters } }: Workshop): Promise<void> => {
    await writeSafetensors(join(folder, 'model.safetensors'), change(layout.places.map((place) => ({ name: place.name, shape: place.shape, data: viewOf(parameters, place) }))))
  }

/** Ways in which a model folder may be wrong, and what the message about each of them says. */
const spoilers = {
  'an empty config.json': [(folder) => writeFile(join(folder, 'config.json'), ''), 'config.json: expected JSON'],
  'truncated weights': [async (folder) => truncate(join(folder, 'model.safetensors'), (await readFile(join(folder, 'model.safetensors'))).length - 100), 'truncated'],
  'a missing tensor': [rewriteWeights((tensors) => tensors.filter(({ name }) => name !== 'lm_head.bias')), 'expected tensor lm_head.bias of shape [8], found none'],
  'a misshapen tensor': [
    rewriteWeights((tensors) => tensors.map((tensor) => (tensor.name === 'lm_head.weight' ? { ...tensor, shape: [16, 8] } : tensor))),
    'tensor lm_head.weight: expected shape [8, 16], found [16, 8]',
  ],
  'a strange tensor': [rewriteWeights((tensors) => [...tensors, { name: 'wav2vec2.adapter.weight', shape: [1], data: new Float32Array(1) }]), 'found wav2vec2.adapter.weight'],
  'another architecture': [(folder) => writeFile(join(folder, 'config.json'), JSON.stringify({ ...tinyConfig, model_type: 'whisper' })), "model_type: expected 'wav2vec2'"],
  'a vocabulary that does not fit the head': [(folder) => writeFile(join(folder, 'vocab.json'), JSON.stringify({ '<pad>': 0, A: 1 })), 'vocab.json: expected 8 tokens'],
} satisfies Record<string, [(folder: string, shop: Workshop) => Promise<void>, string]>

export interface BadModel {
  readonly what: string
  readonly folder: string
  /** What the one line about it says. */
  readonly message: string
}

/** A copy of the workshop's model for every way of being wrong, and a folder that is not there. */
export const badModels = async (shop: Workshop): Promise<BadModel[]> => {
  const copies = Object.entries(spoilers).map(async ([what, [spoil, message]]) => {
    const folder = join(shop.folder, what.replaceAll(' ', '-'))
    await cp(shop.model, folder, { recursive: true })
    await spoil(folder, shop)
    return { what, folder, message }
  })
  return [{ what: 'no folder', folder: join(shop.folder, 'nowhere'), message: 'nowhere: expected a model folder' }, ...(await Promise.all(copies))]
}

export interface BadData {
  readonly what: string
  readonly manifest: string
  readonly message: string
}

/** A manifest for every way in which data may be wrong, the last of them for training only: what no vocabulary spells is an error of the model's when measured. */
export const badData = async (shop: Workshop, wav: (seconds: number, hertz: number) => Uint8Array): Promise<BadData[]> => {
  await writeFile(join(shop.folder, 'empty.wav'), '')
  await writeFile(join(shop.folder, 'text.wav'), 'this is no recording at all, but it is long enough to be one')
  await writeFile(join(shop.folder, 'silent.wav'), wav(0, 100))
  const lines: [string, string, string][] = [
    ['a line that is not JSON', 'nonsense', '.jsonl:2: expected a JSON object, found "nonsense"'],
    ['an empty recording', '{"audio_filepath":"empty.wav","text":"A","duration":1}', 'found an empty file'],
    ['a text as a recording', '{"audio_filepath":"text.wav","text":"A","duration":1}', 'expected a WAV file'],
    ['a recording of no samples', '{"audio_filepath":"silent.wav","text":"A","duration":1}', 'found none'],
    ['a missing recording', '{"audio_filepath":"gone.wav","text":"A","duration":1}', 'expected a recording'],
    ['a character outside the vocabulary', '{"audio_filepath":"0.wav","text":"ÄX"}', 'expected characters of the vocabulary, found "Ä"'],
  ]
  const written = lines.map(async ([what, line, message], i) => {
    const manifest = join(shop.folder, `bad-${i}.jsonl`)
    await writeFile(manifest, `{"audio_filepath":"0.wav","text":"A"}\n${line}`)
    return { what, manifest, message }
  })
  return [{ what: 'no manifest', manifest: join(shop.folder, 'no.jsonl'), message: 'no.jsonl: expected a manifest' }, ...(await Promise.all(written))]
}
