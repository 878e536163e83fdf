import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { estimateDocument, type EstimateRow } from './estimateDocument.ts'

it('docs/estimate.md says what bench/estimates.json holds', async () => {
  const rows = JSON.parse(await readFile('bench/estimates.json', 'utf8')) as EstimateRow[]
  expect(rows).toHaveLength(6)
  expect(await readFile('docs/estimate.md', 'utf8')).toBe(estimateDocument(rows))
})

it('says how far off an estimate is', () => {
  const row: EstimateRow = { name: 'X', updates: 3, rehearsalSeconds: 2, estimated: { secondsPerUpdate: 1.1, seconds: 9, bytes: 1e9 }, measured: { secondsPerUpdate: 1, seconds: 10, bytes: 1e9 } }
  expect(estimateDocument([row])).toContain('| X, 3 updates | 1.10, was 1.00 | +10 % | 9.0, was 10.0 | −10 % | 1.00, was 1.00 | +0 % | 2.0 s |')
})
