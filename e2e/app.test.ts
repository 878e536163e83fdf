import { cp, mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import type { Comparison, Library } from '../engine/contract/index.ts'
import { evaluate } from '../engine/jobs/index.ts'
import { setTheme, violations } from './axe.ts'
import { complaintsOf } from './browser.ts'
import { openStudio, type Studio } from './studio.ts'

let studio: Studio
let page: Page
let store: string
let complaints: string[]
const root = join(import.meta.dirname, '..')
const minutes = 60_000

beforeAll(async () => {
  studio = await openStudio(await mkdtemp(join(tmpdir(), 'cald-e2e-')), { width: 1280, height: 800 })
  ;({ page, store } = studio)
  page.setDefaultTimeout(60_000)
  complaints = complaintsOf(page)
  await page.getByRole('button', { name: 'Run a first conversion' }).waitFor()
}, 5 * minutes)
afterAll(async () => {
  await studio.close()
})

const library = async (): Promise<Library> => JSON.parse(await readFile(join(store, 'library.json'), 'utf8')) as Library
const figure = (name: string): Promise<string> => page.locator(`[data-figure="${name}"]`).innerText()
const visit = (place: string): Promise<void> => page.evaluate(`void (location.hash = '/${place}')`)
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`
const keepPicture = (name: string): void => onTestFailed(async () => {
    await page.screenshot({ path: join(root, 'coverage', 'e2e', `${name}.png`) })
  })

test('first minute: one button, and teacher and student stand side by side', async () => {
  keepPicture('first-minute')
  await page.getByRole('button', { name: 'Run a first conversion' }).press('Enter')
  await page.getByRole('progressbar', { name: 'First conversion' }).waitFor()
  await page.waitForURL(/#\/compare\/compare-/, { timeout: 8 * minutes })
  await page.locator('[data-figure="wer-1"]').waitFor()
  const { models, data } = await library()
  const test = data.find(({ name }) => name === 'Digits, another voice')!
  const student = models.find(({ origin }) => origin === 'run')!
  const teacher = models.find(({ id }) => id === student.teacher)!
  for (const [i, { path }] of [teacher, student].entries()) {
    const measured = await evaluate({ model: path, data: test.path, batchSeconds: 60, device: 'cpu', threads: 2, text: { case: 'auto', unknown: 'error' } }, { signal: new AbortController().signal, onEvent: () => undefined })
    expect([await figure(`wer-${i}`), await figure(`cer-${i}`)]).toEqual([percent(measured.wer!), percent(measured.cer!)])
  }
}, 10 * minutes)

test('a word is heard from where it begins', async () => {
  keepPicture('word')
  const word = page.locator('button.word').nth(2)
  const start = Number(await word.getAttribute('data-start'))
  await expect.poll(() => page.evaluate<number>('document.querySelector("audio").readyState')).toBeGreaterThanOrEqual(2)
  await page.evaluate('window.began = []; document.querySelector("audio").addEventListener("seeked", (event) => window.began.push(event.target.currentTime))')
  await word.click()
  await expect.poll(() => page.evaluate<number>('window.began.length')).toBeGreaterThan(0)
  expect(Math.abs((await page.evaluate<number>('window.began[0]')) - start)).toBeLessThan(0.05)
})

test('the comparison goes out as CSV, as it stands on disk', async () => {
  keepPicture('csv')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as CSV' }).click()])
  const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n')
  const { comparisons } = await library()
  const kept = JSON.parse(await readFile(join(store, 'comparisons', `${comparisons[0]!.id}.json`), 'utf8')) as Comparison
  expect(lines).toHaveLength(1 + kept.utterances.length)
  expect(lines[1]).toContain(kept.utterances[0]!.reference)
})

test('the run shows what its files say', async () => {
  keepPicture('run')
  const { runs } = await library()
  await visit(`runs/${runs[0]!.id}`)
  await page.locator('.u-over').first().waitFor()
  const lines = (await readFile(join(runs[0]!.path, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { kind: string; loss: number; wer: number })
  expect(await figure('loss')).toBe(lines.findLast(({ kind }) => kind === 'update')!.loss.toFixed(3))
  expect(await figure('best-wer')).toBe(percent(Math.min(...lines.filter(({ kind }) => kind === 'evaluation').map(({ wer }) => wer))))
})

test('a wrong folder says what was expected and leaves the library as it was; a model and data come in', async () => {
  keepPicture('import')
  const before = (await library()).models.length
  const folder = await mkdtemp(join(tmpdir(), 'cald-e2e-import-'))
  await cp(join(root, 'assets/models/digits'), join(folder, 'mine'), { recursive: true })
  await page.keyboard.press('2')
  await studio.importPath('Import a model …', folder)
  await expect.poll(() => page.getByRole('alert').innerText()).toContain('expected model.safetensors')
  expect((await library()).models).toHaveLength(before)
  await page.keyboard.press('Escape')
  await studio.importPath('Import a model …', join(folder, 'mine'))
  await page.getByRole('heading', { name: 'mine', exact: true }).waitFor()
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('menuitem', { name: 'Move to the trash' }).click()
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect.poll(async () => (await library()).models.find(({ name }) => name === 'mine')?.removed).toBe(false)
})

test('the imported model is converted, its engine killed on the way, and resumed to the end', async () => {
  keepPicture('convert')
  await page.keyboard.press('4')
  await page.getByLabel('Teacher', { exact: true }).selectOption({ label: (await page.getByLabel('Teacher', { exact: true }).locator('option').allInnerTexts()).find((text) => text.startsWith('mine'))! })
  const ways = (await page.locator('label.way .name').allInnerTexts()).map((name) => name.toLowerCase())
  expect(ways).toEqual(['unguided', 'target', 'trajectory', 'waypoint', 'hybrid'])
  for (const way of ways) {
    await page.getByRole('radio', { name: new RegExp(way, 'i') }).check()
    await page.getByRole('img', { name: new RegExp(`Diagram of ${way} guidance`) }).waitFor()
    expect(await page.locator('.when').innerText()).toMatch(/^Choose it /)
  }
  await page.getByRole('radio', { name: /target/i }).check()
  await page.getByLabel(/^Updates/).fill('30')
  await page.getByLabel(/^Audio in a batch/).fill('10')
  await page.getByText('Every other setting').click()
  await page.getByLabel(/^Evaluate every/).fill('10')
  await page.getByLabel('Name of the run').fill('Mine')
  await page.getByRole('button', { name: 'Start the conversion' }).click()
  await page.locator('.u-over').first().waitFor({ timeout: 2 * minutes })
  const told = await studio.killEngine()
  const resume = page.getByRole('button', { name: 'Resume' })
  await resume.waitFor({ timeout: 2 * minutes })
  expect((await library()).runs.find(({ name }) => name === 'Mine')).toMatchObject({ state: 'interrupted', error: expect.stringContaining(told) as string })
  await resume.click()
  await page.getByRole('button', { name: 'Compare with the teacher' }).waitFor({ timeout: 4 * minutes })
  expect((await library()).runs.find(({ name }) => name === 'Mine')).toMatchObject({ state: 'done', update: 30 })
  const lines = (await readFile(join((await library()).runs.find(({ name }) => name === 'Mine')!.path, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { kind: string; update: number })
  expect(lines.filter(({ kind }) => kind === 'update').map(({ update }) => update)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
}, 8 * minutes)

test('axe finds nothing on any screen, in both themes', async () => {
  const { models, data, runs, comparisons } = await library()
  const screens = ['home', 'models', `models/${models[0]!.id}`, 'data', `data/${data[0]!.id}`, 'convert', 'runs', `runs/${runs[0]!.id}`, 'compare', `compare/${comparisons[0]!.id}`, 'settings']
  const found: string[] = []
  for (const theme of ['light', 'dark'] as const) {
    await setTheme(page, theme)
    for (const screen of screens) {
      await visit(screen)
      await page.locator('h1').first().waitFor()
      await page.waitForTimeout(300)
      found.push(...(await violations(page)).map((violation) => `${screen}, ${theme}: ${violation}`))
    }
  }
  expect(found).toEqual([])
}, 3 * minutes)

test('no page complained of anything', () => {
  expect(complaints).toEqual([])
})
