import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkRecordings, readCorpus } from '../datasets/index.ts'
import { Flite } from './flite.ts'
import { digitStrings, speakersOf, voiceNames, writeSyntheticCorpus, type Speaker } from './index.ts'

const plain: Speaker = { name: 'plain', voice: 'awb', pitch: 1, tempo: 1, tract: 1 }
const seconds = (samples: Float32Array): number => samples.length / 16000

/** Median over frames of the lag at which a stretch of speech resembles itself most, as Hz. */
const pitchOf = (samples: Float32Array): number => {
  const found: number[] = []
  for (let start = 0; start + 1300 < samples.length; start += 800) {
    const at = (i: number): number => samples[start + i]!
    const resemblance = (lag: number): number => Array.from({ length: 1000 }, (_, i) => at(i) * at(i + lag)).reduce((a, b) => a + b, 0)
    if (resemblance(0) < 5) continue
    const lags = Array.from({ length: 230 }, (_, i) => i + 50)
    const best = lags.reduce((most, lag) => (resemblance(lag) > resemblance(most) ? lag : most))
    found.push(16000 / best)
  }
  return found.sort((a, b) => a - b)[Math.floor(found.length / 2)]!
}

describe('Flite', () => {
  it('says the same samples for the same text and speaker, audibly, in every voice', async () => {
    const flite = await Flite.open()
    for (const speaker of speakersOf(voiceNames, 2, 1)) {
      const samples = await flite.speak('seven five four', speaker, 16000)
      expect(await flite.speak('seven five four', speaker, 16000)).toEqual(samples)
      expect(seconds(samples)).toBeGreaterThan(0.6)
      expect(Math.max(...samples)).toBeGreaterThan(0.05)
      expect(Math.max(...samples)).toBeLessThan(1)
    }
  })

  it('changes tempo, pitch and vocal tract apart from each other', async () => {
    const flite = await Flite.open()
    const say = (change: Partial<Speaker>): Promise<Float32Array> => flite.speak('we are mining more or less', { ...plain, ...change }, 16000)
    const [usual, slow, high, short] = [await say({}), await say({ tempo: 0.7 }), await say({ pitch: 1.4 }), await say({ tract: 1.15 })]
    expect(seconds(slow) / seconds(usual)).toBeCloseTo(1 / 0.7, 1)
    expect(seconds(high) / seconds(usual)).toBeCloseTo(1, 1)
    expect(seconds(short) / seconds(usual)).toBeCloseTo(1, 1)
    expect(pitchOf(high) / pitchOf(usual)).toBeGreaterThan(1.2)
    expect(pitchOf(short) / pitchOf(usual)).toBeCloseTo(1, 0)
    expect(short).not.toEqual(usual)
  })
})

describe('digitStrings', () => {
  it('are three to eight digits, and others for another seed or split', () => {
    const strings = digitStrings(200, 1, 'train')
    for (const text of strings) {
      expect(text.split(' ').length).toBeGreaterThanOrEqual(3)
      expect(text.split(' ').length).toBeLessThanOrEqual(8)
    }
    expect(new Set(strings.join(' ').split(' ')).size).toBe(10)
    expect(digitStrings(200, 1, 'train')).toEqual(strings)
    expect(digitStrings(200, 1, 'test')).not.toEqual(strings)
    expect(digitStrings(200, 2, 'train')).not.toEqual(strings)
  })
})

describe('writeSyntheticCorpus', () => {
  const corpus = { texts: ['ONE TWO', 'THREE', 'NINE FIVE'], speakers: speakersOf(['kal', 'slt'], 2, 1), rate: 16000, seed: 4 }
  const onProgress = (): void => undefined

  it('makes a corpus that reads back: texts, speakers, durations', async () => {
    const out = join(await mkdtemp(join(tmpdir(), 'synthetic-')), 'corpus')
    const { utterances, audioSeconds } = await writeSyntheticCorpus(out, corpus, { signal: new AbortController().signal, onProgress })
    const read = await readCorpus(out)
    await checkRecordings(read)
    expect(utterances).toBe(3)
    expect(read.map(({ text }) => text)).toEqual(corpus.texts)
    expect(read.reduce((total, { duration }) => total + duration, 0)).toBeCloseTo(audioSeconds, 6)
    for (const { speaker } of read) expect(corpus.speakers.map(({ name }) => name)).toContain(speaker)
  })

  it('leaves nothing behind when it is stopped', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'synthetic-'))
    const abort = new AbortController()
    const stopped = writeSyntheticCorpus(join(folder, 'corpus'), corpus, { signal: abort.signal, onProgress: () => { abort.abort(); } })
    await expect(stopped).rejects.toThrow('stopped after 1 of 3 utterances')
    expect(await readdir(folder)).toEqual([])
  })
})
