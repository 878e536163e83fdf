import { describe, expect, it } from 'vitest'
import { openWorkshop } from '../cli/testing/command.ts'
import { benchmark } from './index.ts'

const watch = { signal: new AbortController().signal, onEvent: () => undefined }

describe('benchmark', () => {
  it('measures each length in a process of its own, and reports a model that cannot be run there', async () => {
    const shop = await openWorkshop()
    const settings = { models: [shop.model], repeats: 3, device: 'cpu', threads: 1 } as const
    const { points, failures } = await benchmark({ ...settings, durations: [2, 200, 1e-3], recording: shop.recording }, watch)
    expect(points.map(({ duration }) => duration)).toEqual([2, 200])
    for (const { latency, latencies, peakBytes, idleBytes } of points) {
      expect(latencies.length).toBe(3)
      expect([...latencies].sort((a, b) => a - b)[1]).toBe(latency)
      expect(latency).toBeGreaterThan(0)
      expect(peakBytes).toBeGreaterThan(idleBytes)
    }
    // 200 s of samples alone are 12.8 MB, in several copies; what the shorter one holds must not be what this process holds.
    expect(points[1]!.peakBytes - points[0]!.peakBytes).toBeGreaterThan(12.8e6)
    expect(failures).toHaveLength(1)
    expect(failures[0]).toMatchObject({ model: shop.model, duration: 1e-3 })
    expect(failures[0]!.error).toContain('long enough for one output frame')
  })
})
