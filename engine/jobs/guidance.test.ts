import { cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openWorkshop, type Workshop } from '../cli/testing/command.ts'
import type { GuidanceInput, JobEvent, MixerInput, TrainingInput } from '../contract/index.ts'
import { openSafetensors } from '../checkpoint/index.ts'
import { CheckpointError, InterruptedError, MissingFileError, UsageError } from '../errors.ts'
import { openModel } from '../models/index.ts'
import { convert, finetune, type TrainingSummary } from './index.ts'

const training: TrainingInput = {
  updates: 8,
  batchSeconds: 3,
  schedule: { peak: 2e-3, warmupUpdates: 2, decay: 'linear', floor: 0 },
  weightDecay: 0.01,
  clipNorm: 1,
  freezeFrontend: true,
  evaluateEvery: 2,
  seed: 5,
  featureCacheBytes: 2 ** 20,
}
const compute = { device: 'cpu', threads: 1 } as const
const text = { case: 'auto', unknown: 'error' } as const
const mixer = { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 }
const weights = { layerwiseWeight: 2, outputWeight: 0.5 }

let shop: Workshop
/** A run that fine-tuned the workshop's model and kept a snapshot every three updates. */
let teacherRun: string
beforeAll(async () => {
  shop = await openWorkshop()
  teacherRun = join(shop.folder, 'teacher')
  const data = { train: [shop.manifest], dev: [shop.manifest], text }
  await finetune({ ...compute, ...data, start: { model: shop.model }, out: teacherRun, resume: false, training: { ...training, waypointEvery: 3 } }, { signal: new AbortController().signal, onEvent: () => undefined })
})

interface Run {
  readonly summary: TrainingSummary
  readonly events: JobEvent[]
}

const run = async (name: string, guidance: GuidanceInput, { stopAfter = Infinity, resume = false, updates = 8, more = {}, mixers = mixer }: { stopAfter?: number; resume?: boolean | number; updates?: number; more?: Partial<TrainingInput>; mixers?: MixerInput | 'inherited' } = {}): Promise<Run> => {
  const events: JobEvent[] = []
  const abort = new AbortController()
  const onEvent = (event: JobEvent): void => {
    events.push(event)
    if (event.kind === 'update' && event.update === stopAfter) abort.abort()
  }
  const data = { train: [shop.manifest], dev: [shop.manifest], text }
  const settings = { ...compute, ...data, teacher: join(teacherRun, 'last'), source: undefined, guidance, mixer: mixers, out: join(shop.folder, name), resume, training: { ...training, updates, ...more } }
  return { summary: await convert(settings, { signal: abort.signal, onEvent }), events }
}

const of = <K extends JobEvent['kind']>({ events }: Run, kind: K): Extract<JobEvent, { kind: K }>[] => events.filter((event): event is Extract<JobEvent, { kind: K }> => event.kind === kind)

describe('waypoint guidance', () => {
  it('follows the next snapshot ahead, says so, and evaluates each new teacher', async () => {
    expect(await readdir(join(teacherRun, 'waypoints'))).toEqual(['update-00000003', 'update-00000006'])
    const whole = await run('waypoint', { guidance: 'waypoint', ...weights })
    const teachers = of(whole, 'teacher')
    expect(teachers.map(({ update, teacher }) => [update, teacher.split('/').at(-1)])).toEqual([[1, 'update-00000003'], [4, 'update-00000006']])
    for (const { wer, cer } of teachers) {
      expect(wer).toBeGreaterThanOrEqual(0)
      expect(cer).toBeGreaterThanOrEqual(0)
    }
    expect(of(whole, 'update').every(({ layerwise }) => layerwise! > 0)).toBe(true)
  })

  it('goes from snapshot to snapshot at the pace it is told', async () => {
    const paced = await run('waypoint-paced', { guidance: 'waypoint', ...weights, waypointUpdates: 2 })
    expect(of(paced, 'teacher').map(({ update, teacher }) => [update, teacher.split('/').at(-1)])).toEqual([[1, 'update-00000003'], [3, 'update-00000006']])
  })

  it('hears through each snapshot’s own frontend when that is not the frozen one of the student', async () => {
    const own = join(shop.folder, 'own-frontend')
    const data = { train: [shop.manifest], dev: [shop.manifest], text }
    const silent = { signal: new AbortController().signal, onEvent: () => undefined }
    await finetune({ ...compute, ...data, start: { model: shop.model }, out: own, resume: false, training: { ...training, freezeFrontend: false, waypointEvery: 3 } }, silent)
    const firstUpdate = async (freezeFrontend: boolean): Promise<Extract<JobEvent, { kind: 'update' | 'teacher' }>[]> => {
      const events: JobEvent[] = []
      const settings = { ...compute, ...data, teacher: join(own, 'last'), source: undefined, guidance: { guidance: 'waypoint', ...weights } as const, mixer, out: join(shop.folder, `own-${freezeFrontend}`), resume: false }
      await convert({ ...settings, training: { ...training, updates: 1, freezeFrontend } }, { ...silent, onEvent: (event) => events.push(event) })
      return events.filter((event) => event.kind === 'update' || event.kind === 'teacher')
    }
    const [[fromFeatures, frozen], [fromAudio, trained]] = [await firstUpdate(true), await firstUpdate(false)]
    if (frozen?.kind !== 'update' || trained?.kind !== 'update') throw new Error('expected an update')
    expect(fromFeatures).toEqual(fromAudio)
    expect(frozen.layerwise).toBeCloseTo(trained.layerwise!, 5)
    expect(frozen.output).toBeCloseTo(trained.output!, 5)
  })

  it('refuses a folder without snapshots', async () => {
    const away = join(shop.folder, 'no-waypoints')
    await cp(join(teacherRun, 'last'), join(away, 'last'), { recursive: true })
    const settings = { ...compute, teacher: join(away, 'last'), source: shop.model, guidance: { guidance: 'waypoint', ...weights } as const, mixer, train: [shop.manifest], dev: [shop.manifest], text, out: join(shop.folder, 'never'), resume: false, training }
    await expect(convert(settings, { signal: new AbortController().signal, onEvent: () => undefined })).rejects.toBeInstanceOf(MissingFileError)
  })
})

describe('hybrid guidance', () => {
  it('is target guidance up to the switch, and the task alone behind it', async () => {
    const hybrid = await run('hybrid', { guidance: 'hybrid', ...weights, switchUpdate: 4 })
    const target = await run('target', { guidance: 'target', ...weights })
    expect(of(hybrid, 'teacher')).toEqual([{ kind: 'teacher', update: 5, teacher: 'none' }])
    const [ours, theirs] = [of(hybrid, 'update'), of(target, 'update')]
    for (let i = 0; i < 4; i++) expect(ours[i]!.loss).toBe(theirs[i]!.loss)
    for (let i = 4; i < 8; i++) expect(ours[i]).toMatchObject({ loss: ours[i]!.ctc, layerwise: 0, output: 0, alignment: [] })
    expect(theirs[7]!.layerwise).toBeGreaterThan(0)
  })

  it('may keep the output distillation, and wants to know when to switch', async () => {
    const kept = await run('hybrid-kept', { guidance: 'hybrid', ...weights, switchUpdate: 2, keepOutput: true })
    expect(of(kept, 'teacher')).toEqual([{ kind: 'teacher', update: 3, teacher: 'outputs only' }])
    expect(of(kept, 'update')[7]).toMatchObject({ layerwise: 0 })
    expect(of(kept, 'update')[7]!.output).toBeGreaterThan(0)
    await expect(run('hybrid-never', { guidance: 'hybrid', ...weights })).rejects.toBeInstanceOf(UsageError)
  })
})

describe('the mixers’ phase', () => {
  it('changes nothing but the mixers, lowers the share they miss, and leaves the rest to the joint phase', async () => {
    const phase = await run('mixers', { guidance: 'target', ...weights }, { updates: 24, more: { mixerPhase: { updates: 22, learningRate: 3e-3 }, evaluateEvery: 2, keepCheckpoints: 20 } })
    const updates = of(phase, 'update')
    expect(updates.slice(0, 22).every(({ ctc, loss, layerwise }) => ctc === 0 && loss === layerwise)).toBe(true)
    expect(updates[21]!.loss).toBeLessThan(0.8 * updates[0]!.loss)
    expect(updates[22]!.ctc).toBeGreaterThan(0)
    expect(updates[22]!.learningRate).toBe(0)
    const parameters = async (update: number): Promise<Float32Array> => {
      const file = await openSafetensors(join(shop.folder, 'mixers', 'checkpoints', `update-000000${String(update).padStart(2, '0')}`, 'state.safetensors'))
      const values = await file.read('parameters')
      await file.close()
      return values
    }
    const { layout } = await openModel(join(shop.folder, 'mixers', 'last'))
    const [before, after] = [await parameters(2), await parameters(22)]
    for (const { name, offset, size } of layout.places) {
      const same = before.subarray(offset, offset + size).every((value, i) => value === after[offset + i])
      expect(same, name).toBe(!name.includes('_mamba.'))
    }
  })

  it('must leave updates for the joint phase', async () => {
    await expect(run('mixers-only', { guidance: 'target', ...weights }, { more: { mixerPhase: { updates: 8, learningRate: 1e-3 } } })).rejects.toThrow('--mixer-updates: expected fewer than all 8 updates, found 8')
  })
})

describe('the switch of inherited mixers', () => {
  const mixerSwitch = { after: 2, over: 4 }
  const guidance: GuidanceInput = { guidance: 'target', ...weights }

  it('raises their share over the updates it is told, and is kept with the model', async () => {
    await run('switched', guidance, { mixers: 'inherited', more: { mixerSwitch, keepCheckpoints: 4, averageDecay: 0.5 } })
    const { layout, parameters, config } = await openModel(join(shop.folder, 'switched', 'last'))
    const shares = layout.places.filter(({ name }) => name.endsWith('_mamba.blend'))
    expect(shares.length).toBe(2 * config.num_hidden_layers)
    for (const { offset } of shares) {
      expect(parameters[offset]).toBe(1)
      for (const [update, share] of [[2, 0], [4, 0.5], [6, 1], [8, 1]]) {
        const file = await openSafetensors(join(shop.folder, 'switched', 'checkpoints', `update-0000000${update}`, 'state.safetensors'))
        for (const vector of ['parameters', 'averaged']) expect((await file.read(vector))[offset], `${vector}, update ${update}`).toBe(share)
        await file.close()
      }
    }
  })

  it('resumes to the bits of a run that was never stopped', async () => {
    const whole = await run('switched-whole', guidance, { mixers: 'inherited', more: { mixerSwitch } })
    await expect(run('switched-stopped', guidance, { mixers: 'inherited', stopAfter: 3, more: { mixerSwitch } })).rejects.toBeInstanceOf(InterruptedError)
    const resumed = await run('switched-stopped', guidance, { mixers: 'inherited', resume: true, more: { mixerSwitch } })
    expect(resumed.summary.stateSha256).toBe(whole.summary.stateSha256)
  })

  it('must end within the run, and is for inherited mixers', async () => {
    await expect(run('switched-late', guidance, { mixers: 'inherited', more: { mixerSwitch: { after: 5, over: 4 } } })).rejects.toThrow('--switch-mixers: expected the switch to be over after all 8 updates, found it over after 9')
    await expect(run('switched-random', guidance, { more: { mixerSwitch } })).rejects.toThrow('--switch-mixers: expected with --inherit-mixers')
  })
})

describe('a run', () => {
  const finetuned = async (name: string, more: Partial<TrainingInput>): Promise<Run> => {
    const events: JobEvent[] = []
    const settings = { ...compute, start: { model: shop.model }, train: [shop.manifest], dev: [shop.manifest], text, out: join(shop.folder, name), resume: false, training: { ...training, ...more } }
    return { summary: await finetune(settings, { signal: new AbortController().signal, onEvent: (event) => events.push(event) }), events }
  }

  it('ends when patience does', async () => {
    const patient = await finetuned('patient', { updates: 40, evaluateEvery: 2, patience: 3, schedule: { peak: 1e-30, warmupUpdates: 0, decay: 'none', floor: 0 } })
    // Nothing is learned at such a rate: the first evaluation stays the best.
    expect(of(patient, 'evaluation').map(({ update, best }) => [update, best])).toEqual([[2, true], [4, false], [6, false], [8, false]])
    expect(patient.summary.updates).toBe(8)
  })

  it('keeps an average of the weights, and resumes to its bits', async () => {
    const each = { averageDecay: 0.6, updates: 5, evaluateEvery: 1, keepCheckpoints: 5 }
    const whole = await finetuned('averaged', each)
    const vectors = async (update: number): Promise<Record<'parameters' | 'averaged', Float32Array>> => {
      const file = await openSafetensors(join(shop.folder, 'averaged', 'checkpoints', `update-0000000${update}`, 'state.safetensors'))
      const [parameters, averaged] = [await file.read('parameters'), await file.read('averaged')]
      await file.close()
      return { parameters, averaged }
    }
    // The first update has a learning rate of zero, so all starts from its weights.
    let expected = (await vectors(1)).parameters
    for (const update of [2, 3, 4, 5]) {
      const { parameters, averaged } = await vectors(update)
      expected = expected.map((value, i) => value + (1 - Math.min(0.6, (1 + update) / (10 + update))) * (parameters[i]! - value))
      expect(averaged.every((value, i) => Math.abs(value - expected[i]!) < 1e-6)).toBe(true)
    }
    const kept = await openModel(join(shop.folder, 'averaged', 'last'))
    expect(kept.parameters).toEqual((await vectors(5)).averaged)
    await rm(join(shop.folder, 'averaged', 'checkpoints', 'update-00000005'), { recursive: true })
    const settings = { ...compute, start: { model: shop.model }, train: [shop.manifest], dev: [shop.manifest], text, out: join(shop.folder, 'averaged'), resume: true, training: { ...training, ...each } }
    expect((await finetune(settings, { signal: new AbortController().signal, onEvent: () => undefined })).stateSha256).toBe(whole.summary.stateSha256)
  })

  it('keeps as many checkpoints as it was told', async () => {
    await finetuned('keeper', { keepCheckpoints: 3 })
    expect((await readdir(join(shop.folder, 'keeper', 'checkpoints'))).sort()).toEqual(['update-00000004', 'update-00000006', 'update-00000008'])
  })

  it('skips updates that are not finite, up to the stated count', async () => {
    const events: JobEvent[] = []
    const settings = { ...compute, start: { model: shop.model }, train: [shop.manifest], dev: [shop.manifest], text, out: join(shop.folder, 'skipping'), resume: false }
    const broken: TrainingInput = { ...training, evaluateEvery: 100, skipNonFinite: 2, schedule: { peak: 1e30, warmupUpdates: 0, decay: 'none', floor: 0 } }
    await expect(finetune({ ...settings, training: broken }, { signal: new AbortController().signal, onEvent: (event) => events.push(event) })).rejects.toThrow(/^update 4: expected a finite loss/)
    const notes = events.flatMap((event) => (event.kind === 'note' && event.message.startsWith('skipped') ? [event.message] : []))
    expect(notes.map((note) => note.slice(0, 18))).toEqual(['skipped update 2: ', 'skipped update 3: '])
  })

  it('resumes to its bits with layers dropped, features hidden, and some utterances for the first updates', async () => {
    const regularised: Partial<TrainingInput> = {
      layerDrop: 0.5,
      specAugment: { featureProbability: 0.3, featureLength: 2 },
      firstUtterances: { updates: 3, maxSeconds: 0.7, minCharacters: 3 },
      microBatches: 2,
      batchSeconds: 1.5,
    }
    const guidance: GuidanceInput = { guidance: 'target', ...weights }
    const whole = await run('regularised', guidance, { more: regularised })
    expect(of(whole, 'update').some(({ alignment }) => alignment!.includes(0))).toBe(true)
    for (const stopAfter of [2, 5]) {
      const out = `regularised-stopped-${stopAfter}`
      await expect(run(out, guidance, { stopAfter, more: regularised })).rejects.toBeInstanceOf(InterruptedError)
      expect((await run(out, guidance, { resume: true, more: regularised })).summary.stateSha256).toBe(whole.summary.stateSha256)
    }
    const all = await run('regularised-all', guidance, { more: { ...regularised, firstUtterances: undefined } })
    expect(of(whole, 'update')[0]!.audioSeconds).not.toBe(of(all, 'update')[0]!.audioSeconds)
    await expect(run('regularised-never', guidance, { more: { firstUtterances: { updates: 3, maxSeconds: 0.1 } } })).rejects.toThrow('the first 3 updates: expected training utterances of at most 0.1 s')
  })

  it('trains on micro-batches: as many batches an update as it was told, another order of the same data', async () => {
    const [one, two] = [await finetuned('one', { batchSeconds: 1.5 }), await finetuned('two', { batchSeconds: 1.5, microBatches: 2 })]
    const seconds = (run: Run): number[] => of(run, 'update').map(({ audioSeconds }) => audioSeconds)
    const [singles, pairs] = [seconds(one), seconds(two)]
    for (let i = 0; i < 4; i++) expect(pairs[i]).toBeCloseTo(singles[2 * i]! + singles[2 * i + 1]!, 6)
  })
})

describe('a stopped run', () => {
  const guidance: GuidanceInput = { guidance: 'target', ...weights }

  it('goes on to the same bits in another place, its models being found by their hashes', async () => {
    const whole = await run('never moved', guidance)
    await expect(run('moved', guidance, { stopAfter: 5 })).rejects.toBeInstanceOf(InterruptedError)
    await mkdir(join(shop.folder, 'deeper', 'down'), { recursive: true })
    await rename(join(shop.folder, 'moved'), join(shop.folder, 'deeper', 'down', 'run'))
    const resumed = await run(join('deeper', 'down', 'run'), guidance, { resume: true })
    expect(resumed.summary.stateSha256).toBe(whole.summary.stateSha256)
    const { cald } = (await openModel(resumed.summary.last.path)).config
    expect(resolve(resumed.summary.last.path, cald!.teacher as string)).toBe(join(teacherRun, 'last'))
  })

  it('names the first setting that is another', async () => {
    await expect(run('changed', guidance, { stopAfter: 3 })).rejects.toBeInstanceOf(InterruptedError)
    const path = join(shop.folder, 'changed', 'run.json')
    await expect(run('changed', { ...guidance, outputWeight: 0.25 }, { resume: true })).rejects.toThrow(`--resume: expected guidance.outputWeight of ${path}, 0.5, found 0.25`)
    await expect(run('changed', guidance, { resume: true, more: { decayScope: 'authors' } })).rejects.toThrow(`--resume: expected settings.decayScope of ${path}, none, found "authors"`)
    const recorded = JSON.parse(await readFile(path, 'utf8')) as { lineage: { teacherSha256: string } }
    await writeFile(path, JSON.stringify({ ...recorded, lineage: { ...recorded.lineage, teacherSha256: 'another' } }))
    await expect(run('changed', guidance, { resume: true })).rejects.toThrow(`--resume: expected lineage.teacherSha256 of ${path}, "another"`)
  })
})

describe('a damaged checkpoint', () => {
  const damages: [string, (folder: string) => Promise<void>, RegExp][] = [
    ['a flipped byte', async (folder) => {
      const path = join(folder, 'state.safetensors')
      const bytes = await readFile(path)
      bytes[bytes.length - 7]! ^= 1
      await writeFile(path, bytes)
    }, /expected contents of SHA-256 [0-9a-f]{64}, found/],
    ['a cut file', async (folder) => truncate(join(folder, 'state.safetensors'), 1000), /state\.safetensors/],
    ['no weights', async (folder) => rm(join(folder, 'state.safetensors')), /state\.safetensors/],
    ['no progress', async (folder) => rm(join(folder, 'progress.json')), /expected a progress\.json/],
  ]
  it.each(damages)('is refused by name, and the one before it offered: %s', async (name, damage, message) => {
    const guidance: GuidanceInput = { guidance: 'target', ...weights }
    const folder = `damaged, ${name}`
    await expect(run(folder, guidance, { stopAfter: 5 })).rejects.toBeInstanceOf(InterruptedError)
    await damage(join(shop.folder, folder, 'checkpoints', 'update-00000005'))
    const refused = run(folder, guidance, { resume: true })
    await expect(refused).rejects.toBeInstanceOf(CheckpointError)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow(/update-00000005.*; --resume 4 goes on from the one before it/)
    const whole = await run(`${folder}, never`, guidance)
    expect((await run(folder, guidance, { resume: 4 })).summary.stateSha256).toBe(whole.summary.stateSha256)
  })
})

describe('every way of guiding', () => {
  const ways: (GuidanceInput & { mixerPhase?: TrainingInput['mixerPhase'] })[] = [
    { guidance: 'target', ...weights, mixerPhase: { updates: 4, learningRate: 1e-3 } },
    { guidance: 'unguided', ...weights },
    { guidance: 'target', ...weights },
    { guidance: 'trajectory', ...weights },
    { guidance: 'target', ...weights, teacherMode: 'training' },
    { guidance: 'trajectory', ...weights, teacherEvery: 3 },
    { guidance: 'trajectory', ...weights, teacherEvery: 2, teacherMode: 'training' },
    { guidance: 'waypoint', ...weights },
    { guidance: 'hybrid', ...weights, switchUpdate: 4 },
  ]
  it.each(ways)('resumes to the bits of a run that was never stopped: $guidance, teacher every $teacherEvery in mode $teacherMode, mixers alone first $mixerPhase', async ({ mixerPhase, ...guidance }) => {
    const name = `${guidance.guidance}-${guidance.teacherEvery ?? 1}-${guidance.teacherMode ?? ''}-${mixerPhase?.updates ?? 0}`
    const more = mixerPhase === undefined ? {} : { mixerPhase }
    const whole = await run(`${name}-whole`, guidance, { more })
    for (const stopAfter of [2, 3, 5]) {
      const stopped = `${name}-stopped-${stopAfter}`
      await expect(run(stopped, guidance, { stopAfter, more })).rejects.toBeInstanceOf(InterruptedError)
      const resumed = await run(stopped, guidance, { resume: true, more })
      expect(resumed.summary.stateSha256).toBe(whole.summary.stateSha256)
      const [log, expected] = await Promise.all([stopped, `${name}-whole`].map(async (folder) => (await readFile(join(shop.folder, folder, 'metrics.jsonl'), 'utf8')).split('\n').filter((line) => line.includes('"teacher"'))))
      expect(log).toEqual(expected)
      await rm(join(shop.folder, stopped), { recursive: true })
    }
  })
})
