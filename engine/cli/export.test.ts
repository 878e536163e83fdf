import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Exported } from '../jobs/index.ts'
import { cald, openWorkshop, type Workshop } from './testing/command.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})

describe('cald export', () => {
  it('exports a teacher and the student converted from it, with their lineage on the cards', async () => {
    const run = join(shop.folder, 'student')
    await writeFile(join(shop.model, 'README.md'), '---\nlicense: cc-by-4.0\n---\n# Ours\n')
    const common = ['--train', shop.manifest, '--dev', shop.manifest, '--batch-seconds', '3', '--threads', '1', '--steps', '2']
    const converted = await cald('convert', '--teacher', shop.model, '--guidance', 'target', '--headdim', '8', '--d-state', '4', '--out', run, ...common)
    expect(converted.code, converted.stderr).toBe(0)
    const card = await readFile(join(run, 'best', 'README.md'), 'utf8')
    expect(card).toMatch(/\| converted from \| the teacher `\S*model`, weights SHA-256 `[0-9a-f]{64}` \|/)
    expect(card).toContain('| guidance | target |')
    expect(card).toContain('| licence | not stated; made from models under cc-by-4.0 |')
    expect(card).toMatch(/\| updates \| [12] \|\n\| on the development data \| WER [\d.]+ %, CER [\d.]+ %/)

    const file = join(shop.folder, 'out', 'student.onnx')
    const [student, teacher, folder] = await Promise.all([
      cald('export', '--model', join(run, 'last'), '--out', file, '--float16', '--json'),
      cald('export', '--model', shop.model, '--out', join(shop.folder, 'teacher.onnx')),
      cald('export', '--model', join(run, 'last'), '--out', join(shop.folder, 'half'), '--format', 'safetensors', '--float16', '--json'),
    ])
    expect(student.code, student.stderr).toBe(0)
    const exported = JSON.parse(student.stdout) as Exported
    expect(exported).toMatchObject({ out: file, format: 'onnx', precision: 'float16', bytes: (await stat(file)).size, card: join(shop.folder, 'out', 'student.md') })
    expect(exported.agreement!.frames).toBeGreaterThan(10)
    expect(teacher.stdout).toMatch(/teacher\.onnx: float32, \d+ MiB\nlogits within \S+e-\d of the engine's/)
    expect(await readFile(join(shop.folder, 'teacher.md'), 'utf8')).toContain('license: cc-by-4.0')
    expect(folder.code, folder.stderr).toBe(0)
    expect((await cald('evaluate', '--model', join(shop.folder, 'half'), '--data', shop.manifest, '--json')).code).toBe(0)
  })

  it('refuses bad input with a line that says what to do', async () => {
    const [ending, missing, taken] = await Promise.all([
      cald('export', '--model', shop.model, '--out', join(shop.folder, 'model')),
      cald('export', '--model', join(shop.folder, 'gone'), '--out', join(shop.folder, 'x.onnx')),
      cald('export', '--model', shop.model, '--out', shop.model, '--format', 'safetensors'),
    ])
    expect([ending.code, missing.code, taken.code]).toEqual([2, 2, 2])
    expect(ending.stderr).toContain('--out: expected a file ending in .onnx')
    expect(missing.stderr).toContain('expected a model folder')
    expect(taken.stderr).toContain('expected an empty or new folder')
  })
})
