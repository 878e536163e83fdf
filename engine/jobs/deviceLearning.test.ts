import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { openWorkshop, type Workshop } from '../cli/testing/command.ts'
import type { GuidanceInput, JobEvent, TrainingInput } from '../contract/index.ts'
import { DivergedError, InterruptedError, UsageError } from '../errors.ts'
import { openModel } from '../models/index.ts'
import type * as Runtime from '../runtime/index.ts'
import { convert, type TrainingSummary } from './index.ts'

/** Whether the device of the next run is taken for one with a memory of its own. */
let apart = true

// The CPU as a device with memory of its own and float16 would be: what learns lives on the device. A real one is slower to test on (distill/webgpu.test.ts).
vi.mock('../runtime/index.ts', async (original) => {
  const runtime = await original<typeof Runtime>()
  const own = (device: Runtime.Device): Runtime.Device => new Proxy(device, { get: (target, key) => {
    if (key === 'sharesMemory') return !apart
    const value = Reflect.get(target, key, target) as unknown
    return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
  } })
  return {
    ...runtime,
    openDevice: (...args: Parameters<typeof runtime.openDevice>) => own(runtime.openDevice(...args)),
    chooseDevice: async (...args: Parameters<typeof runtime.chooseDevice>) => ({ ...(await runtime.chooseDevice(...args)), float16: { usable: true, reason: '' } }),
  }
})

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})

const training: TrainingInput = {
  updates: 6,
  batchSeconds: 3,
  microBatches: 2,
  schedule: { peak: 2e-3, warmupUpdates: 2, decay: 'linear', floor: 0 },
  weightDecay: 0.01,
  clipNorm: 1,
  freezeFrontend: true,
  evaluateEvery: 3,
  averageDecay: 0.9,
  seed: 5,
}
const target: GuidanceInput = { guidance: 'target', layerwiseWeight: 2, outputWeight: 0.5 }
type Precision = 'auto' | 'float32' | 'float16'

interface Options {
  readonly guidance?: GuidanceInput
  readonly more?: Partial<TrainingInput>
  readonly inherited?: boolean
  readonly precision?: Precision
  readonly stopAfter?: number
  readonly resume?: boolean
}

const run = async (name: string, { guidance = target, more = {}, inherited = false, precision = 'float32', stopAfter = Infinity, resume = false }: Options = {}): Promise<{ summary: TrainingSummary; parameters: Float32Array; events: JobEvent[] }> => {
  const events: JobEvent[] = []
  const abort = new AbortController()
  const onEvent = (event: JobEvent): void => {
    events.push(event)
    if (event.kind === 'update' && event.update === stopAfter) abort.abort()
  }
  const out = join(shop.folder, name)
  const mixer = inherited ? 'inherited' : { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 }
  const data = { train: [shop.manifest], dev: [shop.manifest], text: { case: 'auto', unknown: 'error' } as const }
  const summary = await convert({ device: 'cpu', threads: 1, precision, ...data, teacher: shop.model, source: shop.model, guidance, mixer, training: { ...training, ...more }, out, resume }, { signal: abort.signal, onEvent })
  return { summary, parameters: (await openModel(join(out, 'last'))).parameters, events }
}

describe('a run that learns on its device', () => {
  const phases = { mixerPhase: { updates: 2, learningRate: 1e-3 }, mixerSwitch: { after: 2, over: 3 } }
  it.each<[string, Options]>([
    ['target', {}],
    ['trajectory', { guidance: { guidance: 'trajectory', layerwiseWeight: 2, outputWeight: 0.5 }, more: { freezeFrontend: false } }],
    ['mixers first', { inherited: true, more: phases }],
  ])('learns what it learns in this process: %s', async (name, options) => {
    apart = false
    const here = await run(`${name} here`, options)
    apart = true
    const there = await run(`${name} there`, options)
    // Rounding, which Adam's first steps enlarge where a gradient is next to nothing.
    const far = here.parameters.filter((value, i) => Math.abs(value - there.parameters[i]!) > 2e-5).length
    expect(far / here.parameters.length).toBeLessThan(0.02)
    const losses = ({ events }: typeof here): number[] => events.flatMap((event) => (event.kind === 'update' ? [event.loss] : []))
    losses(here).forEach((loss, i) => expect(Math.abs(losses(there)[i]! / loss - 1)).toBeLessThan(1e-3))
  })

  it.each<[string, Options]>([['target', {}], ['mixers first', { inherited: true, more: { mixerPhase: { updates: 1, learningRate: 1e-3 } } }]])('has in float16 the gradients of float32: %s', async (name, { more, ...options }) => {
    const norms = async (precision: Precision): Promise<number[]> => {
      const { events } = await run(`${name} norm ${precision}`, { ...options, precision, more: { ...more, updates: 2, evaluateEvery: 2 } })
      return events.flatMap((event) => (event.kind === 'update' ? [event.gradientNorm] : []))
    }
    const [wide, narrow] = [await norms('float32'), await norms('float16')]
    wide.forEach((norm, i) => expect(Math.abs(narrow[i]! / norm - 1)).toBeLessThan(2e-2))
    expect(narrow).not.toEqual(wide)
  })

  it.each<[string, Options]>([
    ['float32', {}],
    ['float16', { precision: 'float16' }],
    ['float16, trajectory', { precision: 'float16', guidance: { guidance: 'trajectory', layerwiseWeight: 2, outputWeight: 0.5 } }],
  ])('is resumed with the same bits, in the type that it began in: %s', async (name, options) => {
    const whole = await run(`${name} whole`, options)
    await expect(run(`${name} stopped`, { ...options, stopAfter: 4 })).rejects.toBeInstanceOf(InterruptedError)
    const other = options.precision === 'float16' ? 'float32' : 'float16'
    const refused = run(`${name} stopped`, { ...options, resume: true, precision: other })
    await expect(refused).rejects.toBeInstanceOf(UsageError)
    await expect(refused).rejects.toThrow('--resume: expected precision of')
    const { summary } = await run(`${name} stopped`, { ...options, resume: true, precision: 'auto' })
    expect(summary.stateSha256).toBe(whole.summary.stateSha256)
    expect((JSON.parse(await readFile(join(shop.folder, `${name} stopped`, 'run.json'), 'utf8')) as { precision: string }).precision).toBe(options.precision ?? 'float32')
  })

  it('lowers the loss scale when a gradient leaves the range of float16, and goes on', async () => {
    const strong: Options = { precision: 'float16', guidance: { ...target, layerwiseWeight: 1e3 }, more: { skipNonFinite: 0 } }
    const whole = await run('overflowing', strong)
    const notes = whole.events.flatMap((event) => (event.kind === 'note' && event.message.includes('float16;') ? [event.message] : []))
    expect(notes[0]).toBe('update 1: a gradient left the range of float16; the loss scale is 32768 from here')
    const norms = whole.events.flatMap((event) => (event.kind === 'update' ? [event.gradientNorm] : []))
    expect(norms.filter((norm) => !Number.isFinite(norm)).length).toBe(notes.length)
    expect(norms.some((norm) => Number.isFinite(norm))).toBe(true)
    await expect(run('overflowing stopped', { ...strong, stopAfter: 2 })).rejects.toBeInstanceOf(InterruptedError)
    expect((await run('overflowing stopped', { ...strong, resume: true })).summary.stateSha256).toBe(whole.summary.stateSha256)
  })

  it('skips updates that are not finite, as many as it may, and names what broke', async () => {
    const broken: Partial<TrainingInput> = { averageDecay: undefined, evaluateEvery: 100, skipNonFinite: 2, schedule: { peak: 1e30, warmupUpdates: 0, decay: 'none', floor: 0 } }
    await expect(run('broken', { more: broken })).rejects.toThrow(/^update 4: expected a finite loss, .* gradient: .*; batch: /)
    await expect(run('broken again', { more: broken })).rejects.toBeInstanceOf(DivergedError)
  })
})
