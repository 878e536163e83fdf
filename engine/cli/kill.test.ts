import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CounterRandom } from '../random.ts'
import { cald, openWorkshop, start } from './testing/command.ts'

const kills = 50
/** Every so many of them inside the writing of a checkpoint. */
const insideEvery = 4

const newestCheckpoint = async (out: string): Promise<number> => {
  const folder = join(out, 'checkpoints')
  if (!existsSync(folder)) return 0
  const names = (await readdir(folder)).filter((name) => /^update-\d{8}$/.test(name)).sort()
  return names.length === 0 ? 0 : Number(names.at(-1)!.slice('update-'.length))
}

describe('a run that is killed again and again', () => {
  it(`loses nothing but the updates since the last checkpoint: ${kills} times SIGKILL`, { timeout: 900_000 }, async () => {
    const shop = await openWorkshop()
    const command = (out: string): string[] => [
      ...['convert', '--teacher', shop.model, '--source', shop.model, '--guidance', 'trajectory', '--headdim', '8', '--d-state', '4'],
      ...['--train', shop.manifest, '--dev', shop.manifest, '--out', out, '--steps', '300', '--batch-seconds', '1.5', '--evaluate-every', '2'],
      ...['--lr', '0.002', '--warmup', '2', '--threads', '1', '--seed', '5', '--json'],
    ]
    const whole = await cald(...command(join(shop.folder, 'whole')))
    expect(whole.code, whole.stderr).toBe(0)

    const out = join(shop.folder, 'killed')
    const random = new CounterRandom(11, 'kills')
    let inside = 0
    for (let i = 0; i < kills; i++) {
      const before = await newestCheckpoint(out)
      const args = [...command(out), '--resume']
      const atWrite = i % insideEvery === 0
      const { child, ended } = atWrite
        ? start(args, { preload: [new URL('./testing/killAtWrite.ts', import.meta.url).href], env: { KILL_AT_PATH: 'checkpoints', KILL_AT_STEP: String(1 + Math.floor(random.nextFloat() * 20)) } })
        : start(args)
      if (!atWrite) {
        await firstWords(child.stderr!)
        setTimeout(() => child.kill('SIGKILL'), random.nextFloat() * 1000)
      }
      const result = await ended
      expect(result.code, result.stderr).toBe(null)
      if (atWrite) inside++
      expect(await newestCheckpoint(out)).toBeGreaterThanOrEqual(before)
    }
    const last = await cald(...command(out), '--resume')
    expect(last.code, last.stderr).toBe(0)
    const summary = (stdout: string): unknown => (JSON.parse(stdout) as { stateSha256: string }).stateSha256
    expect(summary(last.stdout)).toBe(summary(whole.stdout))
    expect(inside).toBeGreaterThanOrEqual(10)
    for (const model of ['best', 'last']) expect(await readFile(join(out, model, 'model.safetensors'))).toEqual(await readFile(join(shop.folder, 'whole', model, 'model.safetensors')))
    const updates = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n').filter((line) => line.includes('"kind":"update"'))
    expect(updates.map((line) => (JSON.parse(line) as { update: number }).update)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
  })
})

/** Resolves when a command says its first words, or has ended. */
const firstWords = (stderr: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve) => {
    stderr.once('data', () => { resolve(); })
    stderr.once('close', resolve)
  })
