import fc from 'fast-check'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readCorpus, type Utterance } from '../datasets/index.ts'
import { UsageError } from '../errors.ts'
import { divide, split } from './split.ts'
import { synthesise } from './synthesise.ts'

const utterance = (i: number, speaker: string | undefined, duration: number): Utterance => ({ id: `u${i}`, audioPath: `/a/${i}.wav`, duration, offset: undefined, text: 'a', speaker, fields: {}, manifest: '/a/m.jsonl', where: `/a/m.jsonl:${i + 1}` })

it('puts every utterance into one part, keeps speakers together, and comes near the shares', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ speaker: fc.nat(12), duration: fc.double({ min: 0.5, max: 5, noNaN: true }) }), { minLength: 1, maxLength: 200 }), fc.nat(), fc.constantFrom('speaker' as const, 'utterance' as const), (rows, seed, by) => {
      const corpus = rows.map(({ speaker, duration }, i) => utterance(i, `s${speaker}`, duration))
      const speakers = new Set(corpus.map(({ speaker }) => speaker)).size
      fc.pre((by === 'speaker' ? speakers : corpus.length) > 2)
      const parts = divide(corpus, { dev: 0.1, test: 0.2, by, seed })
      expect([...parts.values()].flat().map(({ id }) => id).sort()).toEqual(corpus.map(({ id }) => id).sort())
      for (const own of parts.values()) expect(own.length).toBeGreaterThan(0)
      if (by === 'speaker') {
        const sets = [...parts.values()].map((own) => new Set(own.map(({ speaker }) => speaker)))
        expect(sets.reduce((total, { size }) => total + size, 0)).toBe(speakers)
      } else if (corpus.length > 50) {
        const seconds = (own: readonly Utterance[]): number => own.reduce((total, { duration }) => total + duration, 0)
        expect(Math.abs(seconds(parts.get('dev')!) - 0.1 * seconds(corpus))).toBeLessThanOrEqual(5)
        expect(Math.abs(seconds(parts.get('test')!) - 0.2 * seconds(corpus))).toBeLessThanOrEqual(5)
      }
    }),
  )
})

it('divides alike by equal seeds, and refuses what cannot be divided', () => {
  const corpus = Array.from({ length: 40 }, (_, i) => utterance(i, i % 2 === 0 ? 'a' : 'b', 1))
  const ids = (seed: number): string[] => divide(corpus, { dev: 0.25, test: 0, by: 'utterance', seed }).get('dev')!.map(({ id }) => id)
  expect(ids(3)).toEqual(ids(3))
  expect(ids(3)).not.toEqual(ids(4))
  expect(ids(3)).toHaveLength(10)
  expect(() => divide(corpus, { dev: 0.1, test: 0.1, by: 'speaker', seed: 1 })).toThrow(UsageError)
  expect(() => divide([utterance(0, undefined, 1)], { dev: 0.1, test: 0, by: 'speaker', seed: 1 })).toThrow('expected a speaker of every utterance')
})

it('writes manifests that read as the corpus did', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-split-'))
  const data = join(folder, 'speech')
  await synthesise({ out: data, say: { digits: 8 }, voices: ['slt', 'rms'], variants: 2, rate: 16_000, seed: 1 }, { signal: new AbortController().signal, onEvent: () => undefined })
  const out = join(folder, 'parts')
  expect(await split({ data, out, dev: 0.25, test: 0.25, by: 'utterance', seed: 1, home: folder })).toEqual(['train', 'dev', 'test'])
  const whole = await readCorpus(data)
  const parts = (await Promise.all(['train', 'dev', 'test'].map((part) => readCorpus(join(out, `${part}.jsonl`))))).flat()
  const facts = (of: readonly Utterance[]): unknown[] => of.map(({ audioPath, text, speaker, duration }) => JSON.stringify([audioPath, text, speaker, duration])).sort()
  expect(facts(parts)).toEqual(facts(whole))
  expect(await readFile(join(out, 'dev.jsonl'), 'utf8')).toContain('"audio_filepath":"../speech/')
})
