import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { cald, openWorkshop, start, type Workshop } from './testing/command.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})

const finetuneArgs = (out: string): string[] => ['finetune', '--config', shop.config, ...common(out)]
const common = (out: string): string[] => [
  ...['--train', shop.manifest, '--dev', shop.manifest, '--out', out, '--steps', '24', '--batch-seconds', '3', '--evaluate-every', '4'],
  ...['--lr', '0.002', '--warmup', '2', '--threads', '1', '--seed', '5', '--json'],
]
const summary = (stdout: string): { stateSha256: string; updates: number } => JSON.parse(stdout) as { stateSha256: string; updates: number }

const waitFor = async (path: string): Promise<void> => {
  for (let i = 0; i < 600 && !existsSync(path); i++) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(existsSync(path), path).toBe(true)
}

describe('cald finetune and convert', () => {
  it('a run that was killed, and one that was interrupted, resume to the bits of one that was not', async () => {
    const whole = await cald(...finetuneArgs(join(shop.folder, 'whole')))
    expect(whole.stderr).toContain('dev WER')
    expect(whole.code).toBe(0)

    const out = join(shop.folder, 'killed')
    const killed = start(finetuneArgs(out))
    await waitFor(join(out, 'checkpoints', 'update-00000008'))
    killed.child.kill('SIGKILL')
    expect((await killed.ended).code).toBe(null)
    const interrupted = start([...finetuneArgs(out), '--resume'])
    await waitFor(join(out, 'checkpoints', 'update-00000016'))
    interrupted.child.kill('SIGINT')
    const { code } = await interrupted.ended
    // Quick machines may have finished before the signal came.
    expect([0, 130]).toContain(code)
    const resumed = await cald(...finetuneArgs(out), '--resume')
    expect(resumed.code).toBe(0)
    expect(summary(resumed.stdout)).toMatchObject({ updates: 24, stateSha256: summary(whole.stdout).stateSha256 })
    expect(await readFile(join(out, 'last', 'model.safetensors'))).toEqual(await readFile(join(shop.folder, 'whole', 'last', 'model.safetensors')))
    const updates = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n').filter((line) => line.includes('"kind":"update"'))
    expect(updates.map((line) => (JSON.parse(line) as { update: number }).update)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1))
  })

  it('stops at a loss that is not finite, with the update, the batch and the gradient', async () => {
    const { code, stderr } = await cald(...finetuneArgs(join(shop.folder, 'diverged')), '--lr', '1e30', '--warmup', '0', '--decay', 'none')
    expect(code).toBe(1)
    const last = stderr.trim().split('\n').at(-1)!
    expect(last).toMatch(/^cald: update \d+: expected a finite loss, found NaN .*; gradient: first not finite in .*; batch: .*\.wav/)
  })

  it('converts with and without guidance, and the student evaluates and transcribes', async () => {
    const mixer = ['--headdim', '8', '--d-state', '4']
    const [target, unguided, orphan] = await Promise.all([
      cald('convert', '--teacher', shop.model, '--guidance', 'target', ...mixer, ...common(join(shop.folder, 'target'))),
      cald('convert', '--teacher', shop.model, '--source', shop.model, '--guidance', 'unguided', ...mixer, ...common(join(shop.folder, 'unguided'))),
      cald('convert', '--teacher', shop.model, '--guidance', 'unguided', ...mixer, ...common(join(shop.folder, 'orphan'))),
    ])
    expect(target.code, target.stderr).toBe(0)
    expect(unguided.code, unguided.stderr).toBe(0)
    expect(target.stderr).toContain('layerwise')
    expect(orphan.code).toBe(2)
    expect(orphan.stderr).toContain('--source')
    expect(existsSync(join(shop.folder, 'orphan'))).toBe(false)

    const student = join(shop.folder, 'target', 'last')
    const config = JSON.parse(await readFile(join(student, 'config.json'), 'utf8')) as { model_type: string; mixer: object; cald: { guidance: string } }
    expect(config).toMatchObject({ model_type: 'cald_wav2vec2_bimamba2', mixer: { headdim: 8, dState: 4 }, cald: { guidance: 'target' } })

    const [evaluated, transcribed, inspected] = await Promise.all([
      cald('evaluate', '--model', student, '--data', shop.manifest, '--json'),
      cald('transcribe', '--model', student, shop.recording, join(shop.folder, 'gone.wav')),
      cald('inspect', student, '--json'),
    ])
    const figures = JSON.parse(evaluated.stdout) as { utterances: number; wer: number; cer: number; realTimeFactor: number }
    expect(figures.utterances).toBe(8)
    expect(figures.realTimeFactor).toBeGreaterThan(0)
    // The trainer's own evaluation of the same weights saw the same errors.
    const { wer, cer } = (JSON.parse(target.stdout) as { last: { wer: number; cer: number } }).last
    expect(figures).toMatchObject({ wer, cer })
    // The corpus is the one it was trained on.
    expect(evaluated.stderr).toContain('was trained on this data')
    expect(transcribed.code).toBe(2)
    expect(transcribed.stderr).toContain('gone.wav')
    const compared = await cald('compare', '--models', `${shop.model},${student}`, '--data', shop.manifest, '--json')
    expect(JSON.parse(compared.stdout)).toMatchObject({ models: [{ model: shop.model }, { model: student, wer, cer }], utterances: 8, wer: { confidence: 0.95 } })
    const listed = await cald('runs', shop.folder, '--csv', join(shop.folder, 'all.csv'), '--json')
    expect(JSON.parse(listed.stdout)).toContainEqual({ name: 'target', path: join(shop.folder, 'target'), guidance: 'target', update: 24, updates: 24, finished: true, best: { wer: expect.any(Number) as number, cer: expect.any(Number) as number }, last: { wer, cer } })
    expect(await readFile(join(shop.folder, 'all.csv'), 'utf8')).toContain('target,24,')
    const page = join(shop.folder, 'report.html')
    const reported = await cald('report', join(shop.folder, 'target'), join(shop.folder, 'unguided'), '--out', page, '--json')
    expect(JSON.parse(reported.stdout)).toEqual({ report: page, runs: 2 })
    expect(await readFile(page, 'utf8')).toContain(`${(100 * wer).toFixed(2)} %`)
    expect(JSON.parse(inspected.stdout)).toMatchObject({ architecture: 'cald_wav2vec2_bimamba2', vocabulary: 8, samplingRate: 16000 })
  })
})
