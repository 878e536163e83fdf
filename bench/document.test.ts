import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { performanceDocument, ratio } from './document.ts'
import { readBenchResults, type Contender, type Measurement } from './results.ts'

const contender = (name: Contender['name'], times: readonly number[], peakBytes = 5e8): Contender => ({
  name,
  version: '1',
  runs: times.map((milliseconds) => ({ milliseconds, processorMilliseconds: 2 * milliseconds, peakBytes })),
})

describe('docs/performance.md', () => {
  it('says what bench/results.json holds', async () => {
    expect(await readFile('docs/performance.md', 'utf8')).toBe(performanceDocument(await readBenchResults()))
  })

  it('takes the median of the quotients within a round', () => {
    // Medians of the times are equal; in two of three rounds the peer took twice as long.
    expect(ratio(contender('ours', [100, 200, 300]), contender('PyTorch', [200, 400, 200]), 'milliseconds')).toBe(2)
    expect(ratio(contender('ours', [100, 100]), contender('PyTorch', [100, 200]), 'processorMilliseconds')).toBe(1.5)
  })

  it('puts ours and its peers beside each other', () => {
    const measurement: Measurement = {
      size: 'base',
      task: 'inference',
      seconds: 10,
      batch: 1,
      threads: 2,
      processor: 'P',
      date: '2026-01-02',
      command: 'C',
      gflop: 50,
      matmulGflopPerSecond: [200, 100, 300],
      contenders: [contender('ours', [500, 400, 600], 9e8), contender('transformers.js', [600, 600, 600])],
    }
    const text = performanceDocument({ measurements: [measurement], profiles: [{ processor: 'P', size: 'base', task: 'training', command: 'D', milliseconds: 200, kinds: { elementwise: 50, 'matrix products': 150 } }] })
    expect(text).toContain('| base, inference of 10 s | ours (1) | 500 | 20.0 | 100 (50 % of MatMul\'s 200) |  |  | 0.90 GB (limit 1.0) |')
    expect(text).toContain('|  | transformers.js (1) | 600 | 16.7 | 83 | 1.20 × (1.00 to 1.50; goal 1.0) | 1.20 × (1.00 to 1.50) | 0.50 GB |')
    expect(text).toContain('## P, 2 threads, 2026-01-02')
    expect(text).toContain('| matrix products | 75.0 % |')
  })
})
