import { cp, mkdtemp, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Comparison, Library } from '../engine/contract/index.ts'
import { evaluate } from '../engine/jobs/index.ts'
import { setTheme, violations } from './axe.ts'
import { keepOnFailure } from './keeping.ts'
import type { Keyboard } from './keyboard.ts'
import { listenForSeeks } from './seeks.ts'
import { openStudio, type Studio } from './studio.ts'

let studio: Studio
let page: Page
let keyboard: Keyboard
let store: string
const root = join(import.meta.dirname, '..')
const minutes = 60_000

beforeAll(async () => {
  studio = await openStudio(await mkdtemp(join(tmpdir(), 'cald-e2e-')), { width: 1280, height: 800 })
  ;({ page, keyboard, store } = studio)
}, 5 * minutes)
afterAll(() => studio.close())
keepOnFailure(() => page)

const library = (): Promise<Library> => studio.library()
const figure = (name: string): Promise<string> => studio.figure(name)
const visit = (place: string): Promise<void> => page.evaluate(`void (location.hash = '/${place}')`)
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`

test('first minute: one button, and teacher and student stand side by side', async () => {
  await keyboard.press(page.getByRole('button', { name: 'Run a first conversion' }))
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
  const word = page.locator('button.word').nth(2)
  const start = Number(await word.getAttribute('data-start'))
  await expect.poll(() => page.evaluate<number>('document.querySelector("audio").readyState')).toBeGreaterThanOrEqual(2)
  await listenForSeeks(page)
  await word.click()
  await expect.poll(() => page.evaluate<number>('window.began.length')).toBeGreaterThan(0)
  expect(Math.abs((await page.evaluate<number>('window.began[0]')) - start)).toBeLessThan(0.05)
})

test('the comparison goes out as CSV, as it stands on disk', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), keyboard.press(page.getByRole('button', { name: 'Export as CSV' }))])
  const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n')
  const { comparisons } = await library()
  const kept = JSON.parse(await readFile(join(store, 'comparisons', `${comparisons[0]!.id}.json`), 'utf8')) as Comparison
  expect(lines).toHaveLength(1 + kept.utterances.length)
  expect(lines[1]).toContain(kept.utterances[0]!.reference)
})

test('the run shows what its files say', async () => {
  const { runs } = await library()
  await visit(`runs/${runs[0]!.id}`)
  await page.locator('.u-over').first().waitFor()
  const lines = (await readFile(join(runs[0]!.path, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { kind: string; loss: number; wer: number })
  expect(await figure('loss')).toBe(lines.findLast(({ kind }) => kind === 'update')!.loss.toFixed(3))
  expect(await figure('best-wer')).toBe(percent(Math.min(...lines.filter(({ kind }) => kind === 'evaluation').map(({ wer }) => wer))))
})

test('a wrong folder says what was expected and leaves the library as it was; a model and data come in', async () => {
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
  await keyboard.press(page.getByRole('button', { name: 'More actions' }))
  await page.getByRole('menuitem', { name: 'Move to the trash' }).waitFor()
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await keyboard.press(page.getByRole('button', { name: 'Undo' }))
  await expect.poll(async () => (await library()).models.find(({ name }) => name === 'mine')?.removed).toBe(false)
})

test('the imported model is converted, its engine killed on the way, and resumed to the end', async () => {
  await page.keyboard.press('4')
  await keyboard.choose(page.getByLabel('Teacher', { exact: true }), 'mine')
  const ways = (await page.locator('label.way .name').allInnerTexts()).map((name) => name.toLowerCase())
  expect(ways).toEqual(['unguided', 'target', 'trajectory', 'waypoint', 'hybrid'])
  for (const way of ways) {
    await keyboard.check(page.getByRole('radio', { name: new RegExp(way, 'i') }))
    await page.getByRole('img', { name: new RegExp(`Diagram of ${way} guidance`) }).waitFor()
    expect(await page.locator('.when').innerText()).toMatch(/^Choose it /)
  }
  await keyboard.check(page.getByRole('radio', { name: /target/i }))
  await keyboard.fill(page.getByLabel(/^Updates/), '30')
  await keyboard.fill(page.getByLabel(/^Audio in a batch/), '10')
  await keyboard.press(page.locator('summary').filter({ hasText: 'Every other setting' }))
  await keyboard.fill(page.getByLabel(/^Evaluate every/), '10')
  await keyboard.fill(page.getByLabel('Name of the run'), 'Mine')
  await keyboard.press(page.getByRole('button', { name: 'Start the conversion' }))
  await page.locator('.u-over').first().waitFor({ timeout: 2 * minutes })
  const told = await studio.killEngine()
  const resume = page.getByRole('button', { name: 'Resume' })
  await resume.waitFor({ timeout: 2 * minutes })
  expect((await library()).runs.find(({ name }) => name === 'Mine')).toMatchObject({ state: 'interrupted', error: expect.stringContaining(told) as string })
  await keyboard.press(resume)
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
  expect(studio.complaints).toEqual([])
})

test('the page may run, load and reach nothing but what is its own', async () => {
  const elsewhere = createServer((_, response) => void response.setHeader('Access-Control-Allow-Origin', '*').end('reached')).listen(0, '127.0.0.1')
  await new Promise((resolve) => elsewhere.once('listening', resolve))
  const address = `127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  let reached = 0
  elsewhere.on('connection', () => reached++)
  try {
    const tried = await page.evaluate<Record<string, string>>(`(async () => {
      const settled = (begin) => new Promise((resolve) => { begin(() => resolve('done'), () => resolve('refused')); setTimeout(resolve, 3000, 'refused') })
      const added = (tag, attributes) => settled((done, refused) => document.body.append(Object.assign(document.createElement(tag), { onload: done, onerror: refused, ...attributes })))
      window.ran = false
      const script = document.createElement('script')
      script.textContent = 'window.ran = true'
      document.body.append(script)
      return {
        inline: window.ran ? 'done' : 'refused',
        // Later, since what is asked for from outside the page may evaluate at once.
        evaluated: await settled((done, refused) => setTimeout(() => { try { Function('return 1')(); done() } catch { refused() } })),
        fetched: await fetch('http://${address}/').then(() => 'done', () => 'refused'),
        socket: await settled((done, refused) => { try { const socket = new WebSocket('ws://${address}/'); socket.onopen = done; socket.onerror = refused } catch { refused() } }),
        script: await added('script', { src: 'http://${address}/x.js' }),
        image: await added('img', { src: 'http://${address}/x.png' }),
        style: await added('link', { rel: 'stylesheet', href: 'http://${address}/x.css' }),
      }
    })()`)
    expect(tried).toEqual(Object.fromEntries(Object.keys(tried).map((way) => [way, 'refused'])))
    expect(reached).toBe(0)
  } finally {
    elsewhere.close()
  }
}, minutes)
