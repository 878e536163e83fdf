import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Comparison } from '../engine/contract/index.ts'
import { synthesise } from '../engine/jobs/index.ts'
import { setTheme, violations } from './axe.ts'
import { complaintsOf, openBrowser } from './browser.ts'
import { keepOnFailure } from './keeping.ts'
import type { Keyboard } from './keyboard.ts'
import { openStudio, type Studio } from './studio.ts'

/** Two bundled models side by side, by keyboard alone: on a corpus, on a recording, against length, and out of the app. */
let studio: Studio
let page: Page
let keyboard: Keyboard
let corpus: string
const minutes = 60_000

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-e2e-compare-'))
  corpus = join(folder, 'speech')
  await synthesise({ out: corpus, say: { digits: 6 }, voices: ['slt'], variants: 4, rate: 16000, seed: 5 }, { signal: new AbortController().signal, onEvent: () => undefined })
  studio = await openStudio(folder, { width: 1024, height: 700 })
  ;({ page, keyboard } = studio)
}, 3 * minutes)
afterAll(() => studio.close())
keepOnFailure(() => page)

const kept = async (id: string, kind = ''): Promise<Comparison> => JSON.parse(await readFile(join(studio.store, 'comparisons', `${id}${kind}.json`), 'utf8')) as Comparison
const opened = (): string => new URL(page.url()).hash.split('/').at(-1)!
const audited = async (where: string): Promise<void> => {
  const found: string[] = []
  for (const theme of ['light', 'dark'] as const) {
    await setTheme(page, theme)
    found.push(...(await violations(page)).map((violation) => `${where}, ${theme}: ${violation}`))
  }
  expect(found).toEqual([])
}

test('a corpus: chosen, compared and walked through by keyboard', async () => {
  // Before anything is imported there is something to compare on.
  await page.keyboard.press('6')
  await expect.poll(() => page.getByRole('combobox', { name: 'On', exact: true }).locator('option:checked').innerText()).toBe('Spoken sample')
  await page.keyboard.press('3')
  await studio.importPath('Import data …', corpus)
  await page.getByRole('heading', { name: 'speech', exact: true }).waitFor()
  await page.keyboard.press('6')
  await page.getByRole('heading', { name: 'Compare', exact: true }).waitFor()
  await audited('form')
  await keyboard.choose(page.getByRole('combobox', { name: 'First model' }), 'Digits')
  await keyboard.choose(page.getByRole('combobox', { name: 'Second model' }), 'Source')
  await keyboard.press(page.getByRole('button', { name: 'Compare' }))
  await page.locator('[data-figure="wer-1"]').waitFor()
  const comparison = await kept(opened())
  expect([await studio.figure('wer-0'), await studio.figure('wer-1')]).toEqual(comparison.models.map(({ wer }) => `${(100 * wer!).toFixed(1)} %`))
  await keyboard.tabTo(page.getByRole('option').first())
  await page.keyboard.press('End')
  expect(await page.getByRole('option', { selected: true }).innerText()).toContain(comparison.utterances.at(-1)!.reference!)
  await page.keyboard.press('Home')
  expect(await page.getByRole('option', { selected: true }).innerText()).toContain(comparison.utterances[0]!.reference!)
}, 3 * minutes)

test('of keys pressed quickly, and of a click, the last one decides where it plays', async () => {
  await expect.poll(() => page.evaluate<number>('document.querySelector("audio").readyState')).toBeGreaterThanOrEqual(2)
  const slider = page.getByRole('slider', { name: /^Position in/ })
  await keyboard.tabTo(slider)
  await page.evaluate('window.settled = () => new Promise((resolve) => { const sound = document.querySelector("audio"); const look = () => (sound.seeking ? setTimeout(look, 5) : setTimeout(resolve, 50)); look() })')
  const rounds = Array.from({ length: 30 }, (_, i) => [
    { acts: ['Home', 'ArrowRight', 'Shift+ArrowLeft', 'Home'], ends: 0 },
    { acts: ['End', 'Home', 'ArrowRight', 'Shift+ArrowLeft'], ends: 0.9 },
    { acts: ['ArrowRight', 'click', 'Home'], ends: 0 },
  ][i % 3]!)
  const places: number[][] = []
  for (const { acts } of rounds) {
    for (const act of acts) await (act === 'click' ? slider.click() : page.keyboard.press(act))
    await page.evaluate('settled()')
    places.push([Number(await slider.getAttribute('aria-valuenow')), await page.evaluate<number>('document.querySelector("audio").currentTime')])
  }
  expect(places).toEqual(rounds.map(({ ends }) => [ends, ends]))
}, minutes)

test('the waveform answers to the keyboard, and words begin where they were heard', async () => {
  await expect.poll(() => page.evaluate<number>('document.querySelector("audio").readyState')).toBeGreaterThanOrEqual(2)
  const slider = page.getByRole('slider', { name: /^Position in/ })
  await keyboard.tabTo(slider)
  const at = async (): Promise<number> => Number(await slider.getAttribute('aria-valuenow'))
  await page.keyboard.press('ArrowRight')
  await expect.poll(at).toBeCloseTo(1, 1)
  await page.keyboard.press('Shift+ArrowLeft')
  await expect.poll(at).toBeCloseTo(0.9, 1)
  await page.keyboard.press('Home')
  await expect.poll(at).toBe(0)
  await page.keyboard.press(' ')
  await expect.poll(at).toBeGreaterThan(0.1)
  await page.keyboard.press(' ')
  // The waveform, its timeline, the hover line and the minimap.
  expect(await page.evaluate('[...document.querySelector(".wave div > div").shadowRoot.querySelectorAll("[part]")].map((e) => e.getAttribute("part"))')).toEqual(expect.arrayContaining(['timeline', 'hover', 'minimap', 'cursor']))
  const before = await page.evaluate<number>('document.querySelector(".wave div > div").shadowRoot.querySelector(".wrapper").scrollWidth')
  await slider.focus()
  for (let i = 0; i < 4; i++) await page.keyboard.press('+')
  await expect.poll(() => page.evaluate<number>('document.querySelector(".wave div > div").shadowRoot.querySelector(".wrapper").scrollWidth')).toBeGreaterThan(2 * before)
  await page.evaluate('window.began = []; document.querySelector("audio").addEventListener("seeked", (event) => window.began.push(event.target.currentTime))')
  const words = page.locator('button.word')
  for (const place of [0, 2, 4]) {
    const word = words.nth(place)
    await word.focus()
    await page.keyboard.press('Enter')
    const start = Number(await word.getAttribute('data-start'))
    await expect.poll(() => page.evaluate<number[]>('window.began').then((all) => all.some((time) => Math.abs(time - start) < 0.05))).toBe(true)
  }
}, minutes)

test('latency and memory against length, as they were measured', async () => {
  const lengths = page.getByRole('textbox', { name: 'Lengths in seconds' })
  await keyboard.fill(lengths, '2 x')
  await page.getByText('Expected whole seconds').waitFor()
  await keyboard.fill(lengths, '2 6')
  await keyboard.press(page.getByRole('button', { name: 'Measure' }))
  await page.locator('[data-figure="latency-1-6"]').waitFor()
  const { points } = (await kept(opened(), '.latency')) as unknown as NonNullable<Comparison['latency']>
  expect(points).toHaveLength(4)
  for (const { model, duration, latency } of points) expect(await studio.figure(`latency-${model}-${duration}`)).toBe(`${latency.toFixed(3)} s`)
  await audited('comparison')
}, 3 * minutes)

test('the HTML page stands alone, with what was heard', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), keyboard.press(page.getByRole('button', { name: 'Export as HTML' }))])
  const comparison = await kept(opened())
  const browser = await openBrowser()
  const alone = await browser.newPage()
  const told = complaintsOf(alone)
  await alone.goto(`file://${await download.path()}`).catch(() => undefined)
  await alone.setContent(await readFile(await download.path(), 'utf8'))
  const differing = comparison.utterances.filter(({ distance }) => distance > 0)
  expect(await alone.locator('dl.utterance').count()).toBe(differing.length)
  expect(await alone.locator('audio').count()).toBe(differing.length)
  expect(await alone.locator('dl.utterance').first().innerText()).toContain(differing[0]!.hypotheses[0])
  expect(told).toEqual([])
  await browser.close()
}, minutes)

test('a recording without a transcript: what they heard, and no errors made up', async () => {
  const line = JSON.parse((await readFile(join(corpus, 'manifest.jsonl'), 'utf8')).split('\n')[0]!) as { audio_filepath: string }
  await page.keyboard.press('6')
  await studio.importPath('Another recording …', corpus)
  await page.getByRole('alert').waitFor()
  await studio.importPath('Another recording …', join(corpus, line.audio_filepath))
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await keyboard.press(page.getByRole('button', { name: 'Compare' }))
  await page.locator('[data-figure="apart"]').waitFor()
  const comparison = await kept(opened())
  expect(comparison.difference).toBeUndefined()
  expect(await studio.figure('apart')).toBe(`${comparison.utterances[0]!.distance} words apart`)
  await page.locator('button.word').first().waitFor()
  await audited('recording')
}, 2 * minutes)

test('a comparison is removed, and comes back', async () => {
  await page.keyboard.press('6')
  await keyboard.press(page.getByRole('button', { name: /^Remove .* on speech/ }))
  await keyboard.press(page.getByRole('button', { name: 'Undo' }))
  await page.getByRole('button', { name: /^Remove .* on speech/ }).waitFor()
  // What is shown is told before it is on disk.
  await expect.poll(async () => (await studio.library()).comparisons.map(({ removed }) => removed)).toEqual([false, false])
  expect(studio.complaints).toEqual([])
}, minutes)
