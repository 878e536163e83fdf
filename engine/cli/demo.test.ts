import { existsSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readCorpus } from '../datasets/index.ts'
import type { DemoResult } from '../jobs/index.ts'
import { cald } from './testing/command.ts'

describe('cald demo', () => {
  it('runs every step on the bundled models, and says honestly that a few updates are too few', { timeout: 300_000 }, async () => {
    const out = join(await mkdtemp(join(tmpdir(), 'demo-')), 'demo')
    const { code, stdout, stderr } = await cald('demo', '--out', out, '--updates', '4', '--json')
    const result = JSON.parse(stdout) as DemoResult
    const [teacher, unguided, target] = result.models
    expect(code).toBe(target!.wer < unguided!.wer && teacher!.wer <= 0.15 ? 0 : 1)
    expect(result.shortfalls.length === 0).toBe(code === 0)
    for (const shortfall of result.shortfalls) expect(stderr).toContain(`cald: ${shortfall}`)
    expect(teacher!.wer).toBeLessThan(unguided!.wer)
    expect(result.unguided.map(({ wer }) => wer)).toContain(unguided!.wer)
    expect(result.latency.failures).toEqual([])
    expect(result.latency.points.map(({ duration }) => duration)).toEqual([10, 10, 60, 60, 300, 300])
    expect(stderr).toMatch(/\[#+·*\] +\d+ % {2}.* left {2}4\/6 target guided/)
    expect(existsSync(join(result.student, 'model.safetensors'))).toBe(true)
    expect(await readFile(result.report, 'utf8')).toContain('student, target guided')

    // Nothing of the test split was heard before: neither its strings nor its voice.
    const [train, dev, test] = await Promise.all(['train', 'dev', 'test'].map((split) => readCorpus(join(out, 'data', split))))
    const known = new Set([...train!, ...dev!].map(({ text }) => text))
    for (const { text, speaker } of test!) {
      expect(known.has(text)).toBe(false)
      expect(speaker).toMatch(/^rms-/)
    }
    for (const { speaker } of [...train!, ...dev!]) expect(speaker).not.toMatch(/^rms-/)
  })
})
