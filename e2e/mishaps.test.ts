import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundledModel } from '../engine/jobs/bundled.ts'
import { synthesise } from '../engine/jobs/index.ts'
import { openModel } from '../engine/models/index.ts'
import { keepOnFailure } from './keeping.ts'
import type { Keyboard } from './keyboard.ts'
import { openStudio, type Studio } from './studio.ts'

/** What goes wrong is told in words one can act on, and the library and everything that was brought stay as they were. By keyboard alone. */
let studio: Studio
let page: Page
let keyboard: Keyboard
let folder: string
let speech: string
/** Whether the library lies on a small disk of its own, which this user was allowed to mount. */
let small = false
const minutes = 60_000

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-e2e-mishaps-'))
  speech = join(folder, 'speech')
  await synthesise({ out: speech, say: { digits: 6 }, voices: ['slt'], variants: 2, rate: 16000, seed: 31 }, { signal: new AbortController().signal, onEvent: () => undefined })
  await mkdir(join(folder, 'library'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', join(folder, 'library')], { stdio: 'ignore' })
    small = true
  } catch {
    // The tests of a full disk are skipped, and say so.
  }
  studio = await openStudio(folder, { width: 1024, height: 700 })
  ;({ page, keyboard } = studio)
}, 3 * minutes)
afterAll(async () => {
  await studio.close()
  if (small) execFileSync('umount', ['-l', studio.store])
})
keepOnFailure(() => page)

/** One hash of everything in a folder: names and bytes. */
const fingerprint = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for (const entry of (await readdir(path, { recursive: true, withFileTypes: true })).sort((a, b) => `${a.parentPath}/${a.name}`.localeCompare(`${b.parentPath}/${b.name}`)))
    hash.update(`${entry.parentPath}/${entry.name}\n`).update(entry.isFile() ? await readFile(join(entry.parentPath, entry.name)) : '')
  return hash.digest('hex')
}
const libraryText = (): Promise<string> => readFile(join(studio.store, 'library.json'), 'utf8')

const edited = (name: string, change: (config: Record<string, unknown>) => Record<string, unknown>) => async (at: string): Promise<void> => {
  const path = join(at, name)
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>)))
}
const models: readonly (readonly [what: string, spoil: (at: string) => Promise<void>, told: RegExp])[] = [
  ['a folder of something else', async (at) => { await rm(at, { recursive: true }); await mkdir(at); await writeFile(join(at, 'notes.txt'), 'no model') }, /expected .*(config\.json|model\.safetensors)/],
  ['a place where nothing is', (at) => rm(at, { recursive: true }), /expected .*found/],
  ['weights that break off', (at) => truncate(join(at, 'model.safetensors'), 2_000_000), /model\.safetensors.*expected/],
  ['weights that are none', (at) => writeFile(join(at, 'model.safetensors'), 'PK\u0003\u0004 a page of text, under the wrong name'), /model\.safetensors.*expected/],
  ['a model of another kind', edited('config.json', (config) => ({ ...config, model_type: 'bert', architectures: ['BertForMaskedLM'] })), /expected .*wav2vec2.*bert/],
  ['a configuration of another size', edited('config.json', (config) => ({ ...config, hidden_size: 64 })), /expected/],
]

test('a wrong checkpoint is refused in words, and nothing changes', async () => {
  const before = await libraryText()
  await page.keyboard.press('2')
  for (const [i, [what, spoil, told]] of models.entries()) {
    const at = join(folder, 'checkpoints', String(i))
    await cp(bundledModel('digits'), at, { recursive: true })
    await spoil(at)
    const brought = await fingerprint(join(folder, 'checkpoints'))
    await studio.importPath('Import a model …', at)
    await expect.poll(() => page.getByRole('alert').innerText().catch(() => ''), { message: what }).toMatch(told)
    expect(await page.getByRole('alert').innerText(), what).toContain(at)
    expect(await libraryText(), what).toBe(before)
    expect(await fingerprint(join(folder, 'checkpoints')), what).toBe(brought)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  }
}, 2 * minutes)

const corpora: readonly (readonly [what: string, make: (at: string) => Promise<void>, told: RegExp])[] = [
  ['a folder without a manifest', (at) => writeFile(join(at, 'readme.txt'), 'nothing'), /expected/],
  ['a manifest that is no JSON', (at) => writeFile(join(at, 'manifest.jsonl'), '{"audio_filepath": "a.wav"'), /expected/],
  ['a manifest whose recordings are gone', (at) => writeFile(join(at, 'manifest.jsonl'), '{"audio_filepath": "gone.wav", "text": "ONE"}'), /gone\.wav/],
  ['a manifest of a recording that is none', async (at) => { await writeFile(join(at, 'a.wav'), 'RIFF, it says'); await writeFile(join(at, 'manifest.jsonl'), '{"audio_filepath": "a.wav", "text": "ONE"}') }, /a\.wav/],
]

test('a wrong folder of recordings is refused in words, and nothing changes', async () => {
  const before = await libraryText()
  await page.keyboard.press('3')
  for (const [i, [what, make, told]] of corpora.entries()) {
    const at = join(folder, 'corpora', String(i))
    await mkdir(at, { recursive: true })
    await make(at)
    await studio.importPath('Import data …', at)
    await expect.poll(() => page.getByRole('alert').innerText().catch(() => ''), { message: what }).toMatch(told)
    expect(await libraryText(), what).toBe(before)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  }
}, 2 * minutes)

const resized = (size: string): Buffer => execFileSync('mount', ['-o', `remount,size=${size}`, studio.store])

test('a disk too small for the first minute: it says so, and the button is there again', async (context) => {
  if (!small) context.skip('mounting a small file system is not allowed here')
  resized('2m')
  await page.keyboard.press('1')
  const begin = page.getByRole('button', { name: 'Run a first conversion' })
  await keyboard.press(begin)
  await expect.poll(() => page.getByRole('alert').innerText().catch(() => '')).toMatch(/speech.*expected to write it, found no space left on device/)
  await begin.waitFor()
  const { models, data, runs } = await studio.library()
  expect([models.length, data.map(({ name }) => name), runs.length]).toEqual([2, ['Spoken sample'], 0])
  expect((await readdir(studio.store, { recursive: true })).filter((name) => name.includes('.unfinished-'))).toEqual([])
  resized('6m')
}, minutes)

test('a disk that fills up while a model learns: the run says so, is whole, and goes on when there is room', async (context) => {
  if (!small) context.skip('mounting a small file system is not allowed here')
  await page.keyboard.press('3')
  await studio.importPath('Import data …', speech)
  await page.getByRole('heading', { name: 'speech', exact: true }).waitFor()
  await page.keyboard.press('4')
  await keyboard.choose(page.getByLabel('Teacher', { exact: true }), 'Digits')
  await keyboard.fill(page.getByLabel(/^Updates/), '6')
  await keyboard.fill(page.getByLabel(/^Audio in a batch/), '5')
  await keyboard.press(page.locator('summary').filter({ hasText: 'Every other setting' }))
  await keyboard.fill(page.getByLabel(/^Evaluate every/), '3')
  await keyboard.press(page.getByRole('button', { name: 'Start the conversion' }))
  await expect.poll(() => page.getByRole('alert').innerText().catch(() => ''), { timeout: minutes }).toMatch(/expected to write it, found no space left on device/)
  const [run] = (await studio.library()).runs
  expect(run).toMatchObject({ state: 'failed', error: expect.stringContaining('no space left on device') as string })
  expect((await studio.library()).models.map(({ name }) => name)).toEqual(['Digits teacher', 'Source model'])
  const left = await readdir(studio.store, { recursive: true })
  expect(left.filter((name) => name.includes('.unfinished-'))).toEqual([])
  for (const name of left.filter((one) => one.endsWith('.json'))) JSON.parse(await readFile(join(studio.store, name), 'utf8'))

  resized('400m')
  await keyboard.press(page.getByRole('button', { name: 'Resume' }))
  await page.getByRole('button', { name: 'Compare with the teacher' }).waitFor({ timeout: 2 * minutes })
  const done = (await studio.library()).runs[0]!
  expect(done).toMatchObject({ state: 'done', update: 6 })
  await openModel((await studio.library()).models.find(({ id }) => id === done.student)!.path)
}, 4 * minutes)

test('on a full disk an import says so and leaves no trace, and works when there is room', async (context) => {
  if (!small) context.skip('mounting a small file system is not allowed here')
  const at = join(folder, 'mine')
  await cp(bundledModel('source'), at, { recursive: true })
  const before = await libraryText()
  const filler = join(studio.store, 'filler')
  const fill = async (): Promise<void> => {
    resized('100m')
    for (const bytes of [1 << 20, 1 << 12, 1]) for (let n = 0; ; n++) if (await writeFile(`${filler}-${bytes}-${n}`, Buffer.alloc(bytes)).then(() => false, () => true)) break
  }
  const empty = async (): Promise<void> => {
    for (const name of await readdir(studio.store)) if (name.startsWith('filler')) await rm(join(studio.store, name))
  }
  await fill()
  try {
    await page.keyboard.press('2')
    await studio.importPath('Import a model …', at)
    await expect.poll(() => page.getByRole('alert').innerText().catch(() => '')).toMatch(/library\.json: expected to write it, found no space left on device/)
    expect(await libraryText()).toBe(before)
  } finally {
    await empty()
  }
  // The same again in the same dialog.
  await studio.importPath('Import a model …', at)
  await page.getByRole('heading', { name: 'mine', exact: true }).waitFor()
  await expect.poll(async () => (await studio.library()).models.map(({ name }) => name)).toContain('mine')
  expect(studio.complaints).toEqual([])
}, 2 * minutes)
