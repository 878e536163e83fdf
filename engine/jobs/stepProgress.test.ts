import { describe, expect, it } from 'vitest'
import type { JobEvent, ProgressEvent } from '../contract/index.ts'
import { StepProgress } from './stepProgress.ts'

describe('StepProgress', () => {
  it('moves one bar over all steps, never back, and estimates what is left from what is done', async () => {
    const events: JobEvent[] = []
    const steps = new StepProgress({ signal: new AbortController().signal, onEvent: (event) => events.push(event) }, [['first', 10], ['second', 30]])
    const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
    expect(
      await steps.run(async ({ onEvent }) => {
        for (let done = 1; done <= 4; done++) {
          await wait()
          onEvent({ kind: 'progress', stage: 'parts', done, total: 4 })
        }
        onEvent({ kind: 'note', message: 'by the way' })
        return 'result'
      }),
    ).toBe('result')
    await steps.run(async ({ onEvent }) => {
      await wait()
      onEvent({ kind: 'progress', stage: 'frontend features', done: 1, total: 1 })
      onEvent({ kind: 'update', update: 1, updates: 2, loss: 1, ctc: 1, learningRate: 1, gradientNorm: 1, audioSeconds: 1, audioSecondsPerSecond: 1, memoryBytes: 2 ** 30, infeasible: 0, secondsLeft: 9 })
    })
    const bars = events.filter((event): event is ProgressEvent => event.kind === 'progress')
    expect(bars.map(({ done }) => done)).toEqual([0, 2.5, 5, 7.5, 10, 10, 11.5, 25])
    expect(new Set(bars.map(({ total }) => total))).toEqual(new Set([40]))
    expect(bars[1]!.stage).toBe('1/2 first, parts 1/4')
    expect(bars.at(-1)!.stage).toContain('2/2 second, update 1/2')
    // A quarter is done after a quarter of the time.
    const [, , , , ended] = bars
    expect(ended!.secondsLeft).toBeGreaterThan(0.2)
    expect(events).toContainEqual({ kind: 'note', message: 'by the way' })
  })
})
