import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { studyDocument } from './document.ts'
import { plan, speakerTraining } from './plan.ts'
import { isOf, readResults, type Result } from './results.ts'

const result = (name: string, seed: number, wers: readonly number[]): Result => ({
  ...plan.find((entry) => entry.name === name && entry.seed === seed)!,
  evaluations: wers.map((wer, i) => ({ update: 50 * (i + 1), wer, cer: wer / 2 })),
  seconds: 10,
  stateSha256: '0',
})

describe('docs/study.md', () => {
  it('says what study/results.json holds', async () => {
    const results = await readResults()
    expect(await readFile('docs/study.md', 'utf8')).toBe(studyDocument(results!))
    for (const one of results!.results) expect(plan.some((entry) => isOf(one, entry)), `${one.name}, seed ${one.seed}`).toBe(true)
  })

  const models = { teacher: { sha256: 'a', wer: 0.04, cer: 0.02 }, source: { sha256: 'b' }, data: { train: 'c', dev: 'd' } }

  it('averages over seeds, shows their spread, and when the mean of target guidance was reached', () => {
    const text = studyDocument({ ...models, results: [result('target', 1, [0.5, 0.06]), result('target', 2, [0.08, 0.08]), result('hybrid', 1, [0.07, 0.1])] })
    expect(text).toContain('| target | 2 | 7.00 % | 6.00 % to 8.00 % | 3.50 % | 100, not | 10 |')
    expect(text).toContain('| hybrid | 1 | 10.00 % |  | 5.00 % | 50 | 10 |')
    expect(text).toContain('| target, 1 | 50.0 | 6.0 |')
    expect(text).toContain('"hybrid" is the first to reach the mean that target guidance ends with, after 50 of its 400 updates: 8.0 times sooner.')
  })

  it('says what fewer updates came to', () => {
    const short = [1, 2, 3].map((seed) => result('inherited mixers, alone only, a fifth of the updates', seed, [0.05]))
    const target = result('target', 1, [0.06])
    expect(studyDocument({ ...models, results: [target, ...short] })).toContain('ends with 5.00 % after 80 updates (1/5 of them): that is enough for the 6.00 % of target guidance after 400.')
    expect(studyDocument({ ...models, results: [{ ...target, evaluations: [{ update: 50, wer: 0.04, cer: 0 }] }, ...short] })).toContain('that is not enough for the 4.00 %')
  })

  it('compares target guidance with the better unguided learning rate, seed by seed', () => {
    const target = [result('target', 1, [0.06]), result('target', 2, [0.08])]
    const unguided = [result('unguided, peak 0.003', 1, [0.2]), result('unguided, peak 0.001', 1, [0.1]), result('unguided, peak 0.001', 2, [0.12])]
    const text = studyDocument({ ...models, results: [...target, ...unguided] })
    expect(text).toContain('Target guidance ends 4.00 % (absolute) below unguided, peak 0.001; its worst seed, 8.00 %, is better than the best unguided one, 10.00 %.')
    expect(text).toContain('No other conversion reaches the mean')
    expect(studyDocument({ ...models, results: [...target, result('unguided, peak 0.001', 1, [0.07])] })).toContain('is not better than the best unguided one, 7.00 %')
  })

  it('counts the updates that telling speakers apart takes', () => {
    const accuracies = (values: readonly number[]) => ({ evaluations: values.map((accuracy, i) => ({ update: 20 * (i + 1), accuracy })), seconds: 5, stateSha256: '0' })
    const guided = { ...plan.find(({ name }) => name === 'speakers, target')!, ...accuracies([0.5, 0.96, 0.94]) }
    const text = studyDocument({ ...models, speakerTeacher: { ...accuracies([0.9, 0.94]), training: speakerTraining }, results: [guided] })
    expect(text).toContain('| teacher | 1 | 94.00 % |  | 94.00 % | not | 5 |')
    expect(text).toContain('| target | 1 | 94.00 % |  | 96.00 % | 40 | 5 |')
    expect(text).toContain('Not run yet: unguided, peak 0.003; unguided, peak 0.001.')
  })
})
