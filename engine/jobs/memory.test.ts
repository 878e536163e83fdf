import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { openWorkshop, type Workshop } from '../cli/testing/command.ts'
import type { GuidanceInput, JobEvent, TrainingInput } from '../contract/index.ts'
import { OutOfMemoryError } from '../errors.ts'
import { openModel } from '../models/index.ts'
import type * as Runtime from '../runtime/index.ts'
import { convert } from './index.ts'

/** Rows of a batch that the device has memory for. */
let room = Infinity

// The real device, but one that runs out of memory at a number of rows that a test sets.
vi.mock('../runtime/index.ts', async (original) => {
  const runtime = await original<typeof Runtime>()
  const limited = (device: Runtime.Device): Runtime.Device => ({
    name: device.name,
    liveBytes: device.liveBytes,
    bytesRead: device.bytesRead,
    sharesMemory: device.sharesMemory,
    upload: (tensor) => device.upload(tensor),
    read: (tensor) => device.read(tensor),
    dispose: () => device.dispose(),
    compile: async (graph) => {
      const program = await device.compile(graph)
      return {
        graph,
        run: (inputs) => ((inputs.x?.shape[0] ?? 0) > room && graph.name.includes('backward') ? Promise.reject(new OutOfMemoryError(`graph ${graph.name}: no memory`)) : program.run(inputs)),
        dispose: () => program.dispose(),
      }
    },
  })
  return { ...runtime, openDevice: (...args: Parameters<typeof runtime.openDevice>) => limited(runtime.openDevice(...args)) }
})

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})

const training: TrainingInput = {
  updates: 4,
  batchSeconds: 100,
  schedule: { peak: 2e-3, warmupUpdates: 1, decay: 'none', floor: 0 },
  weightDecay: 0.01,
  clipNorm: 1,
  freezeFrontend: true,
  evaluateEvery: 4,
  seed: 5,
  dropout: { hidden: 0.1, activation: 0.1 },
  specAugment: { timeProbability: 0.3, timeLength: 2 },
}

const weightsWith = async (rows: number, guidance: GuidanceInput): Promise<{ parameters: Float32Array; notes: string[] }> => {
  room = rows
  const notes: string[] = []
  const onEvent = (event: JobEvent): void => {
    if (event.kind === 'note') notes.push(event.message)
  }
  const out = join(shop.folder, `${guidance.guidance}-${guidance.teacherMode ?? ''}-${rows}`)
  const mixer = { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 }
  const data = { train: [shop.manifest], dev: [shop.manifest], text: { case: 'auto', unknown: 'error' } as const }
  await convert({ device: 'cpu', threads: 1, ...data, teacher: shop.model, source: shop.model, guidance, mixer, training, out, resume: false }, { signal: new AbortController().signal, onEvent })
  return { parameters: (await openModel(join(out, 'last'))).parameters, notes }
}

describe('a micro-batch that does not fit in memory', () => {
  it.each([['target', 'evaluation'], ['trajectory', 'evaluation'], ['target', 'training']] as const)('is split, says so once, and teaches the same: %s, teacher in mode %s', async (guidance, teacherMode) => {
    const settings: GuidanceInput = { guidance, layerwiseWeight: 2, outputWeight: 0.5, teacherMode }
    const [whole, split] = [await weightsWith(Infinity, settings), await weightsWith(2, settings)]
    expect(whole.notes.filter((note) => note.includes('memory'))).toEqual([])
    expect(split.notes.filter((note) => note.includes('memory')).length).toBeGreaterThan(0)
    const worst = split.parameters.reduce((most, value, i) => Math.max(most, Math.abs(value - whole.parameters[i]!)), 0)
    // Sums in another order, which Adam's first steps enlarge where a gradient is next to nothing.
    const apart = split.parameters.filter((value, i) => Math.abs(value - whole.parameters[i]!) > 1e-5).length
    expect(worst).toBeLessThan(5e-3)
    expect(apart / split.parameters.length).toBeLessThan(0.02)
  })

  it('ends the run when not even one utterance fits, naming it', async () => {
    const failed = weightsWith(0, { guidance: 'unguided', layerwiseWeight: 0, outputWeight: 0 })
    await expect(failed).rejects.toBeInstanceOf(OutOfMemoryError)
    await expect(failed).rejects.toThrow(/: expected memory for \d+\.\d s of audio at once, found too little/)
  })
})
