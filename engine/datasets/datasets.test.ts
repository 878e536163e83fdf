import { mkdtemp, writeFile } from 'node:fs/promises'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wav } from '../audio/testing/wav.ts'
import { AudioError, ManifestError, MissingFileError, VocabularyError } from '../errors.ts'
import { atSpeeds, batchStream, BatchLoader, checkRecordings, epochBatches, loadBatch, loadUtterance, readCorpus, requireFit, requireTexts, sortedBatches, throughChannels, Vocabulary } from './index.ts'

const corpus = async (lines: readonly string[], files: Record<string, Uint8Array> = {}): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-datasets-'))
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  await writeFile(join(folder, 'manifest.jsonl'), lines.join('\n'))
  return folder
}

describe('readCorpus', () => {
  it('reads lines, resolves paths, takes missing durations from the recordings, and skips blank lines', async () => {
    const folder = await corpus(['{"audio_filepath": "a.wav", "text": "ONE", "speaker": "x", "lang": "en"}', '', '{"audio_filepath": "b.wav", "duration": 1.5, "offset": 0.25}'], { 'a.wav': wav(0.5, 200) })
    const [a, b] = await readCorpus(folder)
    expect(a).toMatchObject({ id: 'a.wav', audioPath: join(folder, 'a.wav'), duration: 0.5, text: 'ONE', speaker: 'x', where: join(folder, 'manifest.jsonl:1') })
    expect(b).toMatchObject({ id: 'b.wav#0.25', duration: 1.5, offset: 0.25, text: undefined, where: join(folder, 'manifest.jsonl:3') })
    expect(() => requireTexts([a!, b!])).toThrow(`manifest.jsonl:3: expected "text", found none`)
  })

  it.each([
    [['{"audio_filepath": "a.wav", "duration": 1}', 'not json'], ':2: expected a JSON object, found "not json"'],
    [['{"duration": 1}'], ':1: audio_filepath'],
    [['{"audio_filepath": "a.wav", "duration": -1}'], ':1: duration'],
    [[''], 'expected at least one utterance, found none'],
  ])('refuses %j', async (lines, message) => {
    const folder = await corpus(lines)
    await expect(readCorpus(folder)).rejects.toThrow(message)
    await expect(readCorpus(folder)).rejects.toBeInstanceOf(ManifestError)
  })

  it('names what is missing, and the line of a recording that cannot be read', async () => {
    await expect(readCorpus('/nowhere.jsonl')).rejects.toBeInstanceOf(MissingFileError)
    const folder = await corpus(['{"audio_filepath": "gone.wav", "duration": 1}'])
    await expect(checkRecordings(await readCorpus(folder))).rejects.toThrow(/manifest\.jsonl:1: .*gone\.wav/)
    const empty = await corpus(['{"audio_filepath": "empty.wav", "duration": 1}'], { 'empty.wav': new Uint8Array() })
    await expect(checkRecordings(await readCorpus(empty))).rejects.toBeInstanceOf(AudioError)
  })

  it('agrees with the durations of recorded speech', async (context) => {
    const path = new URL('../../../shared/data/digits/dev.jsonl', import.meta.url).pathname
    if (!existsSync(path)) context.skip('no recorded speech at ../shared/data')
    const utterances = (await readCorpus(path)).slice(0, 5)
    const { lengths } = await loadBatch(utterances, { samplingRate: 16000, normalise: true })
    utterances.forEach(({ duration }, i) => expect(Math.abs(lengths[i]! / 16000 - duration)).toBeLessThan(2e-4))
  })
})

describe('atSpeeds', () => {
  it('hears each utterance at each speed: its length, its pitch, its stretch', async () => {
    const folder = await corpus(['{"audio_filepath": "a.wav"}', '{"audio_filepath": "a.wav", "offset": 0.5, "duration": 0.5}'], { 'a.wav': wav(2, 400) })
    const utterances = atSpeeds(await readCorpus(folder), [1, 0.8, 1.25])
    expect(utterances.map(({ id, duration }) => [id, duration])).toEqual([
      ['a.wav', 2], ['a.wav#0.5', 0.5],
      ['a.wav@0.8', 2.5], ['a.wav#0.5@0.8', 0.625],
      ['a.wav@1.25', 1.6], ['a.wav#0.5@1.25', 0.4],
    ])
    const options = { samplingRate: 16000, normalise: false }
    const { audio, lengths } = await loadBatch(utterances, options)
    utterances.forEach(({ duration }, i) => expect(lengths[i]! / 16000).toBeCloseTo(duration, 3))
    // Zero crossings a second grow with the speed.
    const width = audio.length / utterances.length
    const crossings = (row: number): number => {
      const samples = audio.subarray(row * width, row * width + lengths[row]!)
      return samples.reduce((count, value, i) => count + Number(i > 0 && value > 0 !== samples[i - 1]! > 0), 0) / (lengths[row]! / 16000)
    }
    expect(crossings(2) / crossings(0)).toBeCloseTo(0.8, 2)
    expect(crossings(4) / crossings(0)).toBeCloseTo(1.25, 2)
  })
})

describe('throughChannels', () => {
  it('hears each utterance as it is and through channels of its own, the same each time', async () => {
    const folder = await corpus(['{"audio_filepath": "a.wav"}', '{"audio_filepath": "b.wav"}'], { 'a.wav': wav(0.5, 400), 'b.wav': wav(0.5, 400) })
    const utterances = throughChannels(atSpeeds(await readCorpus(folder), [1.15]), 2)
    expect(utterances.map(({ id }) => id)).toEqual(['a.wav@1.15', 'b.wav@1.15', 'a.wav@1.15~1', 'b.wav@1.15~1', 'a.wav@1.15~2', 'b.wav@1.15~2'])
    const options = { samplingRate: 16000, normalise: true }
    const rows = await Promise.all(utterances.map((utterance) => loadUtterance(utterance, options)))
    expect(rows[0]).toEqual(rows[1])
    expect(new Set(rows.map((row) => row.join())).size).toBe(5)
    expect(await loadUtterance(utterances[4]!, options)).toEqual(rows[4])
  })
})

describe('Vocabulary', () => {
  const vocabulary = Vocabulary.fromTexts(['ONE two'], 'upper')
  const settings = { case: 'auto', unknown: 'error' } as const

  it('spells and reads back', () => {
    const labels = vocabulary.encode('  one \t two ', settings, 'x')
    expect(vocabulary.decodeIds(labels)).toBe('ONE TWO')
    expect(vocabulary.toJSON()).toMatchObject({ '<pad>': 0, '<s>': 1, '</s>': 2, '<unk>': 3, '|': 4, E: 5 })
    expect(vocabulary.blank).toBe(0)
  })

  it('treats unknown characters as it was told', () => {
    expect(() => vocabulary.encode('six', settings, 'm:3')).toThrow('m:3: expected characters of the vocabulary, found "S"')
    expect(vocabulary.decodeIds(vocabulary.encode('xone', { ...settings, unknown: 'drop' }, 'x'))).toBe('ONE')
    expect([...vocabulary.encode('X', { ...settings, unknown: 'unk' }, 'x')]).toEqual([3])
  })

  it.each([
    [{ '<pad>': 0, a: 0 }, 'found 0 for both'],
    [{ '<pad>': 0, a: 2 }, 'expected ids below 2'],
    [{ a: 0 }, 'expected the pad token "<pad>"'],
    [['a'], 'expected an object of token: id'],
  ])('refuses %j', (json, message) => {
    expect(() => Vocabulary.parse(json, {}, 'vocab.json')).toThrow(message)
  })

  it('knows special tokens by their text, also where transformers wrote more of them', () => {
    expect(Vocabulary.parse({ '[PAD]': 0, A: 1 }, { pad_token: { __type: 'AddedToken', content: '[PAD]' } }, 'vocab.json').blank).toBe(0)
  })

  it('must fit the head', () => {
    expect(() => requireFit(vocabulary, 32, 'vocab.json')).toThrow(VocabularyError)
  })
})

describe('batches', () => {
  const durations = fc.array(fc.float({ min: Math.fround(0.2), max: 10, noNaN: true }), { minLength: 1, maxLength: 120 })

  it('hold every utterance once an epoch, within the padded seconds, in an order that the seed decides', () => {
    fc.assert(
      fc.property(durations, fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 3 }), (seconds, seed, epoch) => {
        const utterances = seconds.map((duration) => ({ duration }))
        const batches = epochBatches(utterances, { maxSeconds: 30, seed }, epoch)
        expect(batches.flat().sort((a, b) => a - b)).toEqual(seconds.map((_, i) => i))
        for (const batch of batches) expect(Math.max(...batch.map((i) => seconds[i]!)) * batch.length).toBeLessThanOrEqual(30)
        expect(epochBatches(utterances, { maxSeconds: 30, seed }, epoch)).toEqual(batches)
      }),
    )
  })

  it('go on anywhere in the stream as if it had been read from the start', () => {
    const utterances = Array.from({ length: 40 }, (_, i) => ({ duration: 1 + (i % 7) }))
    const take = (start: number, n: number): number[][] => {
      const stream = batchStream(utterances, { maxSeconds: 20, seed: 3 }, start)
      return Array.from({ length: n }, () => stream.next().value as number[])
    }
    const all = take(0, 40)
    for (const start of [1, 7, 12, 13, 29]) expect(take(start, 10)).toEqual(all.slice(start, start + 10))
  })

  it('refuse an utterance longer than a batch, except in evaluation', () => {
    expect(() => epochBatches([{ duration: 5 }], { maxSeconds: 4, seed: 0 }, 0)).toThrow('expected utterances of at most 4 s')
    expect(sortedBatches([{ duration: 5 }, { duration: 9 }], 4)).toEqual([[1], [0]])
  })
})

describe('BatchLoader', () => {
  it('loads in another thread what loadBatch loads, in order', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const folder = await corpus(
      names.map((name) => `{"audio_filepath": "${name}.wav"}`),
      Object.fromEntries(names.map((name, i) => [`${name}.wav`, wav(1 + 0.25 * i, 200 + 50 * i, 8000)])),
    )
    const utterances = await readCorpus(folder)
    const options = { samplingRate: 16000, normalise: true }
    const batches = [utterances.slice(0, 2), utterances.slice(2, 3), utterances.slice(3)]
    const loader = new BatchLoader(options)
    let index = 0
    for await (const batch of loader.load(batches)) {
      const expected = await loadBatch(batches[index++]!, options)
      expect([...batch.lengths]).toEqual([...expected.lengths])
      expect(batch.audio).toEqual(expected.audio)
      expect(batch.utterances).toEqual(expected.utterances)
    }
    expect(index).toBe(3)
    await loader.close()
  })

  it('loads ahead while the thread that trains is busy', async () => {
    const names = ['a', 'b', 'c', 'd']
    const folder = await corpus(
      names.map((name) => `{"audio_filepath": "${name}.wav"}`),
      Object.fromEntries(names.map((name) => [`${name}.wav`, wav(0.25, 300)])),
    )
    const loader = new BatchLoader({ samplingRate: 16000, normalise: true }, 2)
    const stream = loader.load((await readCorpus(folder)).map((utterance) => [utterance]))
    await stream.next()
    // A step of training blocks its thread like this. What was not read meanwhile can no longer be read.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000)
    rmSync(folder, { recursive: true })
    expect((await stream.next()).done).toBe(false)
    expect((await stream.next()).done).toBe(false)
    await loader.close()
  })

  it('delivers an error in the place of its batch, with its class', async () => {
    const folder = await corpus(['{"audio_filepath": "a.wav"}', '{"audio_filepath": "gone.wav", "duration": 1}'], { 'a.wav': wav(0.25, 300) })
    const utterances = await readCorpus(folder)
    const loader = new BatchLoader({ samplingRate: 16000, normalise: false })
    const stream = loader.load([[utterances[0]!], [utterances[1]!]])
    const first = await stream.next()
    expect(first.done === true ? undefined : first.value.lengths[0]).toBe(4000)
    await expect(stream.next()).rejects.toBeInstanceOf(MissingFileError)
    await loader.close()
  })
})
