import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cald, openWorkshop } from '../cli/testing/command.ts'
import { WriteError } from '../errors.ts'
import { openModel } from '../models/index.ts'
import { finetune, synthesise, type FinetuneSettings } from './index.ts'

/** Runs `job` in a folder that holds so many KiB; undefined where this user may not mount one. */
const onSmallDisk = async <T>(kibibytes: number, job: (folder: string) => Promise<T>): Promise<T | undefined> => {
  const folder = await mkdtemp(join(tmpdir(), 'small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  try {
    return await job(folder)
  } finally {
    execFileSync('umount', ['-l', folder])
  }
}

const watch = { signal: new AbortController().signal, onEvent: () => undefined }

/** Everything that stands in a run's folder is whole. */
const expectWhole = async (out: string): Promise<void> => {
  if (!existsSync(out)) return
  const names = await readdir(out, { recursive: true })
  expect(names.filter((name) => name.includes('.unfinished-'))).toEqual([])
  for (const name of ['best', 'last']) if (names.includes(name)) await openModel(join(out, name))
  for (const name of names.filter((one) => one.endsWith('.json'))) JSON.parse(await readFile(join(out, name), 'utf8'))
  if (names.includes('metrics.jsonl')) for (const line of (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n')) if (line !== '') JSON.parse(line)
}

describe('a full disk', () => {
  it('stops a run at whichever write it meets, and leaves nothing half-written', async (context) => {
    const shop = await openWorkshop()
    const training: FinetuneSettings['training'] = {
      updates: 4,
      batchSeconds: 4,
      schedule: { peak: 1e-3, warmupUpdates: 1, decay: 'none', floor: 0 },
      weightDecay: 0,
      clipNorm: 1,
      freezeFrontend: false,
      evaluateEvery: 2,
      waypointEvery: 1,
      seed: 1,
      featureCacheBytes: 0,
    }
    const settings = { start: { model: shop.model }, train: [shop.manifest], dev: [shop.manifest], text: { case: 'auto', unknown: 'error' }, training, device: 'cpu', threads: 1, resume: false } as const
    const whole = await finetune({ ...settings, out: join(shop.folder, 'whole') }, watch)
    let [failures, kept] = [0, 0]
    for (const kibibytes of [4, 8, 16, 28, 48, 80, 112, 144, 192, 256]) {
      const ended = await onSmallDisk(kibibytes, async (folder) => {
        const out = join(folder, 'run')
        const error: unknown = await finetune({ ...settings, out }, watch).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        await expectWhole(out)
        // As deep as before: run.json has the path of the model from there.
        const elsewhere = join(await mkdtemp(join(tmpdir(), 'roomy-')), 'run')
        if (existsSync(join(out, 'checkpoints'))) await cp(out, elsewhere, { recursive: true })
        return { error, folder, saved: existsSync(join(out, 'checkpoints')) ? elsewhere : undefined }
      })
      if (ended === undefined) context.skip('mounting a small file system is not allowed here')
      else if (ended.error !== undefined) {
        failures++
        if (ended.saved !== undefined && (await readdir(join(ended.saved, 'checkpoints'))).length > 0) {
          kept++
          expect((await finetune({ ...settings, out: ended.saved, resume: true }, watch)).stateSha256).toBe(whole.stateSha256)
        }
        expect(ended.error).toBeInstanceOf(WriteError)
        expect((ended.error as Error).message).toMatch(/expected to write it, found no space left on device/)
        expect((ended.error as Error).message).toContain(ended.folder)
      }
    }
    expect(failures).toBeGreaterThan(4)
    // Where the disk was full behind a first checkpoint, a run with room again went on from it.
    expect(kept).toBeGreaterThan(0)
  })

  it('stops synthesis, and the command says so in one line with exit code 1', async (context) => {
    const ended = await onSmallDisk(64, async (folder) => {
      const out = join(folder, 'corpus')
      await expect(synthesise({ out, say: { digits: 5 }, voices: ['kal'], variants: 1, rate: 16000, seed: 1 }, watch)).rejects.toBeInstanceOf(WriteError)
      const result = await cald('synthesise', '--digits', '5', '--voices', 'kal', '--out', out)
      return { ...result, left: await readdir(folder) }
    })
    if (ended === undefined) context.skip('mounting a small file system is not allowed here')
    expect(ended?.code).toBe(1)
    expect(ended?.stderr.trim().split('\n').at(-1)).toMatch(/^cald: .*corpus: expected to write it, found no space left on device/)
    expect(ended?.left).toEqual([])
  })

  it('stops what writes one file, and the command says so in one line with exit code 1', async (context) => {
    const shop = await openWorkshop()
    const run = join(shop.folder, 'run')
    const trained = await cald('finetune', '--model', shop.model, '--train', shop.manifest, '--dev', shop.manifest, '--out', run, '--steps', '1')
    expect(trained.code, trained.stderr).toBe(0)
    for (const command of [
      (folder: string) => ['export', '--model', shop.model, '--out', join(folder, 'model.onnx')],
      (folder: string) => ['export', '--model', shop.model, '--format', 'safetensors', '--float16', '--out', join(folder, 'model')],
      (folder: string) => ['report', run, '--out', join(folder, 'report.html')],
      (folder: string) => ['finetune', '--model', shop.model, '--train', shop.manifest, '--dev', shop.manifest, '--out', join(folder, 'run'), '--steps', '1'],
      (folder: string) => ['convert', '--teacher', shop.model, '--guidance', 'target', '--headdim', '8', '--d-state', '4', '--train', shop.manifest, '--dev', shop.manifest, '--out', join(folder, 'run'), '--steps', '1'],
    ]) {
      const ended = await onSmallDisk(4, async (folder) => {
        const result = await cald(...command(folder))
        const left = await readdir(folder, { recursive: true })
        return { ...result, unfinished: left.filter((name) => name.includes('.unfinished-')) }
      })
      if (ended === undefined) context.skip('mounting a small file system is not allowed here')
      const what = command('OUT').join(' ')
      expect(ended?.code, `${what}: ${ended?.stderr}`).toBe(1)
      expect(ended?.stderr.trim().split('\n').at(-1), what).toMatch(/^cald: .*: expected to write it, found no space left on device/)
      expect(ended?.unfinished, what).toEqual([])
    }
  })
})
