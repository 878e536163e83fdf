import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cald } from '../engine/cli/testing/command.ts'
import type { Comparison, GuidanceName, RunEntry } from '../engine/contract/index.ts'
import { bundledModel } from '../engine/jobs/bundled.ts'
import { finetune, synthesise } from '../engine/jobs/index.ts'
import { keepOnFailure } from './keeping.ts'
import type { Keyboard } from './keyboard.ts'
import { listenForSeeks } from './seeks.ts'
import { openStudio, type Studio } from './studio.ts'

/**
 * The whole way by keyboard alone, with a model and recordings of one's own: import, convert in every way of guidance, watch, compare, listen, export. What the screen says
 * is compared with what the run wrote and with what `cald evaluate --json` measures.
 */
let studio: Studio
let page: Page
let keyboard: Keyboard
let teacher: string
let speech: string
let heard: string
const minutes = 60_000

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-e2e-journey-'))
  ;[speech, heard] = [join(folder, 'speech'), join(folder, 'heard')]
  const context = { signal: new AbortController().signal, onEvent: () => undefined }
  await synthesise({ out: speech, say: { digits: 24 }, voices: ['kal', 'slt'], variants: 2, rate: 16000, seed: 21 }, context)
  await synthesise({ out: heard, say: { digits: 8 }, voices: ['awb'], variants: 4, rate: 16000, seed: 22 }, context)
  // A bundled model, fine-tuned a little further: it has a recorded source, and snapshots beside it.
  const training = { updates: 4, batchSeconds: 10, schedule: { peak: 1e-5, warmupUpdates: 1, decay: 'none', floor: 0 }, weightDecay: 0, clipNorm: 1, freezeFrontend: true, evaluateEvery: 4, waypointEvery: 2, seed: 1 } as const
  await finetune({ start: { model: bundledModel('digits') }, train: [speech], dev: [speech], out: join(folder, 'tuned'), text: { case: 'auto', unknown: 'error' }, training, device: 'cpu', threads: 2, resume: false }, context)
  teacher = join(folder, 'tuned', 'best')
  studio = await openStudio(folder, { width: 1440, height: 900 })
  ;({ page, keyboard } = studio)
}, 5 * minutes)
afterAll(() => studio.close())
keepOnFailure(() => page)

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`
const json = async (...path: string[]): Promise<unknown> => JSON.parse(await readFile(join(...path), 'utf8'))
const runOf = async (guidance: GuidanceName): Promise<RunEntry> => (await studio.library()).runs.find(({ conversion }) => conversion.guidance.guidance === guidance)!

test('a model and recordings come in', async () => {
  await page.keyboard.press('2')
  await studio.importPath('Import a model …', teacher)
  await page.getByRole('heading', { name: 'best', exact: true }).waitFor()
  await page.keyboard.press('3')
  await studio.importPath('Import data …', speech)
  await page.getByRole('heading', { name: 'speech', exact: true }).waitFor()
  await page.keyboard.press('3')
  await studio.importPath('Import data …', heard)
  await page.getByRole('heading', { name: 'heard', exact: true }).waitFor()
}, 2 * minutes)

interface Update {
  readonly kind: string
  readonly update: number
  readonly loss: number
  readonly learningRate: number
  readonly audioSecondsPerSecond: number
  readonly wer: number
}

/** Long enough under target guidance that its curves are seen to grow. */
const updates = { unguided: 6, target: 40, trajectory: 6, waypoint: 6, hybrid: 6 } satisfies Record<GuidanceName, number>

describe.each(Object.entries(updates))('%s guidance', (way, length) => {
  test(`is started, watched while it learns, and has figures as it wrote them`, async () => {
    const guidance = way as GuidanceName
    await page.keyboard.press('4')
    await keyboard.choose(page.getByLabel('Teacher', { exact: true }), 'best')
    await keyboard.choose(page.getByLabel('Training data'), 'speech')
    await keyboard.choose(page.getByLabel('Development data'), 'heard')
    await keyboard.check(page.getByRole('radio', { name: new RegExp(guidance, 'i') }))
    await page.getByRole('img', { name: new RegExp(`Diagram of ${guidance} guidance`) }).waitFor()
    await keyboard.fill(page.getByLabel(/^Updates/), String(length))
    await keyboard.fill(page.getByLabel(/^Audio in a batch/), '10')
    if (guidance === 'hybrid') await keyboard.fill(page.getByLabel(/^Lets go after/), '3')
    await keyboard.press(page.locator('summary').filter({ hasText: 'Every other setting' }))
    await keyboard.fill(page.getByLabel(/^Evaluate every/), String(length / 2))
    await keyboard.press(page.getByRole('button', { name: 'Start the conversion' }))
    await page.waitForURL(/#\/runs\/[a-z]/)
    // What is shown of the newest loss, as long as the page is open.
    await page.evaluate('window.losses = []; new MutationObserver(() => { const shown = document.querySelector(\'[data-figure="loss"]\')?.innerText; if (shown !== undefined && shown !== losses.at(-1)) losses.push(shown) }).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true })')
    await page.getByRole('button', { name: 'Compare with the teacher' }).waitFor({ timeout: 2 * minutes })
    await page.locator('.u-over').first().waitFor()

    const { path } = await runOf(guidance)
    const kept = (await json(path, 'run.json')) as { settings: { updates: number }; guidance: { guidance: string } }
    const lines = (await readFile(join(path, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Update)
    const [steps, evaluations] = [lines.filter(({ kind }) => kind === 'update'), lines.filter(({ kind }) => kind === 'evaluation')]
    const last = steps.at(-1)!
    expect([kept.guidance.guidance, kept.settings.updates, steps.length, evaluations.length]).toEqual([guidance, length, length, 2])
    await expect.poll(() => studio.figure('loss')).toBe(last.loss.toFixed(3))
    await expect.poll(() => studio.figure('best-wer')).toBe(percent(Math.min(...evaluations.map(({ wer }) => wer))))
    await page.getByText(`${kept.settings.updates} of ${kept.settings.updates} updates`).waitFor()
    expect(await studio.figure('rate')).toBe(last.learningRate.toExponential(2))
    expect(await studio.figure('throughput')).toBe(last.audioSecondsPerSecond.toFixed(1))
    const { utterances } = (await json(path, 'transcripts.json')) as { utterances: { reference: string; hypothesis: string }[] }
    const [first] = utterances
    await page.getByRole('row').filter({ hasText: first!.reference }).filter({ hasText: first!.hypothesis === '' ? '(nothing)' : first!.hypothesis }).first().waitFor()
    // They were live: several values that the run had on its way, in their order.
    const losses = await page.evaluate<string[]>('losses')
    const all = steps.map(({ loss }) => loss.toFixed(3))
    let from = 0
    for (const loss of losses) expect(from = all.indexOf(loss, from), `${loss} among ${all.join(', ')}`).toBeGreaterThanOrEqual(0)
    expect(losses.at(-1)).toBe(all.at(-1))
    if (guidance === 'target') expect(losses.length).toBeGreaterThan(2)
  }, 3 * minutes)
})

const comparison = async (): Promise<Comparison> => (await json(studio.store, 'comparisons', `${new URL(page.url()).hash.split('/').at(-1)!}.json`)) as Comparison

test('student and teacher stand side by side, with the figures of cald evaluate', async () => {
  const { id, student } = await runOf('target')
  await page.keyboard.press('5')
  await keyboard.press(page.locator(`a[href="#/runs/${id}"]`).first())
  await keyboard.press(page.getByRole('button', { name: 'Compare with the teacher' }))
  await keyboard.choose(page.getByRole('combobox', { name: 'On', exact: true }), 'heard')
  await keyboard.press(page.getByRole('button', { name: 'Compare' }))
  await page.locator('[data-figure="wer-1"]').waitFor()
  const { models } = await studio.library()
  const rates: number[] = []
  for (const [i, model] of [teacher, models.find((one) => one.id === student)!.path].entries()) {
    const { code, stdout, stderr } = await cald('evaluate', '--model', model, '--data', heard, '--json')
    expect(code, stderr).toBe(0)
    const { wer, cer } = JSON.parse(stdout) as { wer: number; cer: number }
    expect([await studio.figure(`wer-${i}`), await studio.figure(`cer-${i}`)]).toEqual([percent(wer), percent(cer)])
    rates.push(wer)
  }
  const apart = rates[1]! - rates[0]!
  expect(await studio.figure('difference')).toBe(`${apart > 0 ? '+' : apart < 0 ? '−' : '±'}${(100 * Math.abs(apart)).toFixed(1)} points`)
}, 2 * minutes)

test('the most different come first, every difference has a sign, and words are heard where they were said', async () => {
  const { utterances } = await comparison()
  const listed = await page.getByRole('option').allInnerTexts()
  expect(listed.map((text) => /(\d+) words? differs?/.exec(text)?.[1] ?? '0')).toEqual(utterances.map(({ distance }) => String(distance)))
  expect(utterances.map(({ distance }) => distance)).toEqual(utterances.map(({ distance }) => distance).sort((a, b) => b - a))
  expect(utterances[0]!.distance).toBeGreaterThan(0)
  const verdicts = utterances[0]!.columns.flatMap((column) => column.verdicts)
  const counted = (verdict: string): number => verdicts.filter((one) => one === verdict).length
  const table = page.getByRole('table', { name: 'Transcripts, word by word' })
  expect([await table.getByText('≠', { exact: true }).count(), await table.getByText('+', { exact: true }).count(), await table.getByText('–', { exact: true }).count()]).toEqual(['substitution', 'insertion', 'deletion'].map(counted))
  expect([await table.getByRole('button', { name: /^wrong: / }).count(), await table.getByRole('button', { name: /^too much: / }).count(), await table.getByText('missing', { exact: true }).count()]).toEqual(['substitution', 'insertion', 'deletion'].map(counted))

  await expect.poll(() => page.evaluate<number>('document.querySelector("audio").readyState')).toBeGreaterThanOrEqual(2)
  await listenForSeeks(page)
  const words = page.locator('button.word')
  for (const place of [await words.count().then((n) => n - 1), 1]) {
    const word = words.nth(place)
    const start = Number(await word.getAttribute('data-start'))
    await keyboard.press(word)
    await expect.poll(() => page.evaluate<number[]>('began').then((all) => all.some((time) => Math.abs(time - start) < 0.05)), { message: `word ${place} at ${start} s` }).toBe(true)
  }
}, 2 * minutes)

test('it goes out as HTML and as CSV, with the same figures', async () => {
  const kept = await comparison()
  const exported = async (name: string): Promise<string> => {
    const [download] = await Promise.all([page.waitForEvent('download'), keyboard.press(page.getByRole('button', { name }))])
    return readFile(await download.path(), 'utf8')
  }
  const html = await exported('Export as HTML')
  for (const { wer, cer } of kept.models) for (const rate of [wer!, cer!]) expect(html).toContain(`<td>${percentOfReports(rate)}</td>`)
  for (const { reference, distance } of kept.utterances) if (distance > 0) expect(html).toContain(reference)
  const rows = (await exported('Export as CSV')).trim().split('\r\n').slice(1)
  expect(rows).toEqual(kept.utterances.map(({ id, seconds, reference, hypotheses, errors, distance }) => [id, seconds, reference, ...hypotheses, ...errors!, distance].join(',')))
  expect(studio.complaints).toEqual([])
}, minutes)

/** As the reports write it. */
const percentOfReports = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`
