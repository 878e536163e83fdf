import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { studyDocument } from './document.ts'
import { plan } from './plan.ts'
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

  it('averages over seeds, shows their spread, and when the mean of target guidance was reached', () => {
    const results = [result('target', 1, [0.5, 0.06]), result('target', 2, [0.08, 0.08]), result('hybrid', 1, [0.07, 0.1])]
    const text = studyDocument({ teacher: { sha256: 'a', wer: 0.04, cer: 0.02 }, source: { sha256: 'b' }, data: { train: 'c', dev: 'd' }, results })
    expect(text).toContain('| target | 2 | 7.00 % | 6.00 % to 8.00 % | 3.50 % | 100, not | 10 |')
    expect(text).toContain('| hybrid | 1 | 10.00 % |  | 5.00 % | 50 | 10 |')
    expect(text).toContain('| target, 1 | 50.0 | 6.0 |')
  })
})
