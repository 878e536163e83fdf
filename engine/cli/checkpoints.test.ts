import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeSafetensors } from '../checkpoint/index.ts'
import { viewOf } from '../models/index.ts'
import { cald, openWorkshop, tinyConfig, type Workshop } from './testing/command.ts'

let shop: Workshop
/** A pretrained body as a hub has it: no head, no vocabulary, no wav2vec2 prefix, an older naming, and a quantizer. */
let body: string
beforeAll(async () => {
  shop = await openWorkshop()
  body = join(shop.folder, 'body')
  await mkdir(body)
  await writeFile(join(body, 'config.json'), JSON.stringify({ ...tinyConfig, architectures: ['Wav2Vec2ForPreTraining'] }))
  const { layout, parameters } = shop.weights
  const kept = layout.places.filter(({ name }) => !name.startsWith('lm_head.')).map((place) => ({ name: place.name.replace('wav2vec2.', '').replace('parametrizations.weight.original0', 'weight_g'), shape: place.shape, data: viewOf(parameters, place) }))
  await writeSafetensors(join(body, 'weights-of-mine.safetensors'), [...kept, { name: 'quantizer.codevectors', shape: [1], data: new Float32Array(1) }])
})

const training = (): string[] => ['--train', shop.manifest, '--dev', shop.manifest, '--steps', '1', '--json']

describe('a pretrained body', () => {
  it('is described without a head, and refused where one is needed', async () => {
    const { code, stdout } = await cald('inspect', body, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ head: 'no head', vocabulary: 0, leftOut: ['quantizer'] })
    const refused = await cald('evaluate', '--model', body, '--data', shop.manifest)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('expected a model with a head, found an encoder alone (cald finetune gives it one)')
  })

  it('is fine-tuned under a new head for the transcripts, or for a vocabulary that is given, and both say so', async () => {
    const out = join(shop.folder, 'from-transcripts')
    const first = await cald('finetune', '--model', body, '--out', out, ...training())
    expect(first.code, first.stderr).toBe(0)
    // <pad> <s> </s> <unk> | and A B C
    expect(first.stderr).toContain(`${body} has no head; training starts with a new one: a CTC head (8 tokens), at random weights`)
    expect(first.stderr).toContain('left out what a model with no head has no place for: quantizer')
    const vocabulary = join(shop.folder, 'nine.json')
    await writeFile(vocabulary, JSON.stringify({ '<pad>': 0, '|': 1, A: 2, B: 3, C: 4, D: 5, E: 6, F: 7, G: 8 }))
    const second = await cald('finetune', '--model', body, '--vocab', vocabulary, '--out', `${out}-2`, ...training())
    expect(second.code, second.stderr).toBe(0)
    expect(second.stderr).toContain('a new one: a CTC head (9 tokens)')
    expect(JSON.parse(await readFile(join(`${out}-2`, 'best', 'config.json'), 'utf8'))).toMatchObject({ vocab_size: 9, pad_token_id: 0, architectures: ['Wav2Vec2ForCTC'] })
    expect((await cald('evaluate', '--model', join(`${out}-2`, 'best'), '--data', shop.manifest)).code).toBe(0)
  })

  it('is the source of an unguided conversion, under a head for the vocabulary of the teacher', async () => {
    const { code, stderr } = await cald('convert', '--teacher', shop.model, '--source', body, '--guidance', 'unguided', '--headdim', '8', '--d-state', '8', '--out', join(shop.folder, 'student'), ...training())
    expect(code, stderr).toBe(0)
    expect(stderr).toContain("has no head; the conversion starts with a new one, the teacher's: a CTC head (8 tokens)")
  })

  it('learns to classify under a head for labels, and what classifies to recognise under one for a vocabulary', async () => {
    const labelled = join(shop.folder, 'labelled.jsonl')
    const lines = (await readFile(shop.manifest, 'utf8')).split('\n').map((line, i) => JSON.stringify({ ...(JSON.parse(line) as object), room: i % 2 === 0 ? 'big' : 'small' }))
    await writeFile(labelled, lines.join('\n'))
    const out = join(shop.folder, 'rooms')
    const asRooms = ['finetune', '--model', body, '--labels', 'room', '--train', labelled, '--dev', labelled, '--steps', '1', '--json']
    const rooms = await cald(...asRooms, '--out', out)
    expect(rooms.code, rooms.stderr).toBe(0)
    expect(rooms.stderr).toContain(`${body} has no head; training starts with a new one: a projector head for room (2 labels)`)
    const vocabulary = join(shop.model, 'vocab.json')
    const [letters, both] = await Promise.all([
      cald('finetune', '--model', join(out, 'best'), '--vocab', vocabulary, '--out', `${out}-letters`, ...training()),
      cald(...asRooms, '--vocab', vocabulary, '--out', `${out}-never`),
    ])
    expect(letters.code, letters.stderr).toBe(0)
    expect(letters.stderr).toContain('has a projector head for room (2 labels); training starts with a new one: a CTC head (8 tokens)')
    expect(JSON.parse(await readFile(join(`${out}-letters`, 'best', 'config.json'), 'utf8'))).toMatchObject({ vocab_size: 8, architectures: ['Wav2Vec2ForCTC'] })
    expect(both.code).toBe(2)
    expect(both.stderr).toContain('--vocab: expected with a model that recognises, found --labels')
  })

  it('takes no other vocabulary than that of the head it has', async () => {
    const { code, stderr } = await cald('finetune', '--model', shop.model, '--vocab', join(shop.model, 'vocab.json'), '--out', join(shop.folder, 'never'), ...training())
    expect(code).toBe(2)
    expect(stderr).toContain('--vocab: expected none with a checkpoint that has a CTC head')
  })
})
