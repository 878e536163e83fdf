import { mkdtemp, readFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import type { Library } from '../engine/contract/index.ts'
import { synthesise } from '../engine/jobs/index.ts'
import { openBrowser, startApp } from './browser.ts'

/**
 * `npm run bench:app`: how quick the app stays, in a real browser. Fifty interactions while a conversion runs, from the input to the frame after it; and frames while one scrolls through
 * 1,000 models and 10,000 utterances and looks at 100,000 points of a run's curves. The figures go into docs/app.md; the machine should have nothing else to do.
 */
const [models, utterances, points] = [1000, 10_000, 100_000]
const folder = await mkdtemp(join(tmpdir(), 'cald-bench-app-'))
const store = join(folder, 'store')
const libraryPath = join(store, 'library.json')
const library = async (): Promise<Library> => JSON.parse(await readFile(libraryPath, 'utf8')) as Library
const context = { signal: new AbortController().signal, onEvent: () => undefined }

const browser = await openBrowser()
const nothing = (): Promise<void> => Promise.resolve()
/** Ends the app that is open. */
let close = nothing
const open = async (): Promise<Page> => {
  const app = startApp(store)
  close = async () => {
    close = nothing
    await app.close()
  }
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  page.setDefaultTimeout(120_000)
  await page.goto(await app.address())
  await page.locator('h1').first().waitFor()
  // What an act takes until the frame that shows it has been made, in milliseconds.
  await page.evaluate(`window.timed = async (act) => {
    const started = performance.now()
    act()
    await new Promise((resolve) => requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = resolve; port2.postMessage(0) }))
    return performance.now() - started
  }`)
  return page
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!
const figures: string[] = []
const load = loadavg()[0]!
/** Where the figures stand in the document. */
const [documentPath, begin, end] = [join(import.meta.dirname, '..', 'docs', 'app.md'), '<!-- figures: npm run bench:app -->\n', '<!-- end of figures -->']
const report = (what: string, times: readonly number[], limit: number): void => {
  const sorted = [...times].sort((a, b) => a - b)
  process.stdout.write(`${what}: ${times.length} times, median ${at(sorted, 0.5).toFixed(1)} ms, p95 ${at(sorted, 0.95).toFixed(1)} ms (limit ${limit}), longest ${sorted.at(-1)!.toFixed(1)} ms\n`)
  figures.push(`| ${what} | ${times.length} | ${at(sorted, 0.5).toFixed(1)} | ${at(sorted, 0.95).toFixed(1)} | ${limit} | ${sorted.at(-1)!.toFixed(1)} |`)
  if (at(sorted, 0.95) > limit) process.exitCode = 1
}

const key = (name: string): string => `(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', { key: '${name}', bubbles: true }))`
const type = (selector: string, text: string): string => `(() => { const field = document.querySelector('${selector}'); if (field) { field.value = '${text}'; field.dispatchEvent(new Event('input', { bubbles: true })) } })()`
const click = (selector: string): string => `document.querySelector('${selector}')?.click()`
/** One round of interactions, as somebody has them who looks around. */
const round = [key('2'), type('input[type=search]', 'teacher'), type('input[type=search]', ''), key('3'), click('a.data'), type('input[type=search]', 'one'), key('4'), click('input[type=radio]'), key('5'), click('a.card'), key('6'), key('7'), click('[role=radio]'), key('?'), key('Escape'), key('1'), click('.shell nav button')]

/** Frames, in milliseconds each, while an element is scrolled from end to end. */
const scrolled = (page: Page, selector: string): Promise<number[]> =>
  page.evaluate(`new Promise((resolve) => {
    const box = document.querySelector('${selector}')
    const frames = []
    let last = performance.now(), step = 0
    const next = (now) => {
      frames.push(now - last)
      last = now
      box.scrollTop = ((box.scrollHeight - box.clientHeight) * ++step) / 120
      if (step < 120) requestAnimationFrame(next)
      else resolve(frames.slice(2))
    }
    requestAnimationFrame(next)
  })`)

try {
  let page = await open()
  await page.getByRole('button', { name: 'Run a first conversion' }).click()
  for (;;) {
    if ((await library().catch(() => undefined))?.runs.some(({ state }) => state === 'running') === true) break
    await page.waitForTimeout(100)
  }
  const times: number[] = []
  while (times.length < 50) for (const act of round) if (times.length < 50) times.push(await page.evaluate<number>(`timed(() => { ${act} })`))
  if (!(await library()).runs.some(({ state }) => state === 'running')) throw new Error('expected the conversion to run all the while, found it over')
  report('interactions while a conversion runs', times, 50)
  await page.evaluate(key('1'))
  await page.waitForURL(/#\/compare\/compare-/, { timeout: 600_000 })
  await page.close()
  await close()

  const full = await library()
  const [first] = full.models
  const speech = join(folder, 'speech')
  await synthesise({ out: speech, say: { digits: 4 }, voices: ['slt'], variants: 10, rate: 16_000, seed: 1 }, context)
  const lines = (await readFile(join(speech, 'manifest.jsonl'), 'utf8')).trim().split('\n')
  const many = join(speech, 'many.jsonl')
  await writeFileAtomic(many, Array.from({ length: utterances }, (_, i) => lines[i % lines.length]).join('\n'))
  const run = full.runs[0]!
  const metrics = join(run.path, 'metrics.jsonl')
  const updates = (await readFile(metrics, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { kind: string; update: number })
  const known = updates.filter(({ kind }) => kind === 'update')
  await writeFileAtomic(metrics, `${Array.from({ length: points }, (_, i) => JSON.stringify({ ...known[i % known.length], update: i + 1 })).join('\n')}\n`)
  await writeFileAtomic(libraryPath, JSON.stringify({ ...full, models: [...full.models, ...Array.from({ length: models }, (_, i) => ({ ...first, id: `many-${i}`, name: `Model ${i}`, origin: 'imported' }))] }))

  page = await open()
  await page.evaluate(`location.hash = '/models'`)
  await page.locator('.windowed a.model').first().waitFor()
  report(`frames, scrolling ${models} models`, await scrolled(page, 'main'), 50)
  report(`searching ${models} models`, await page.evaluate<number[]>(`(async () => { const times = []; for (const text of ['m', 'mo', 'model 9', 'model 99', '']) times.push(await timed(() => { ${type('input[type=search]', '${text}').replace("'${text}'", 'text')} })); return times })()`), 100)
  await page.evaluate(key('3'))
  await page.getByRole('button', { name: 'Import data …' }).click()
  await page.getByRole('textbox', { name: 'Path' }).fill(many)
  await page.getByRole('button', { name: 'Import', exact: true }).click()
  await page.getByRole('button', { name: 'Add to the library' }).click()
  await page.locator('table[aria-rowcount="10001"]').waitFor()
  report(`frames, scrolling ${utterances} utterances`, await scrolled(page, '.table'), 50)
  await page.evaluate(`location.hash = '/runs/${run.id}'`)
  await page.locator('.u-over').first().waitFor()
  report(`smoothing ${points} points`, await page.evaluate<number[]>(`(async () => { const times = []; for (const value of ['0', '0.5', '0.9', '0.99', '0.6']) times.push(await timed(() => { const field = document.querySelector('input[type=range]'); field.value = value; field.dispatchEvent(new Event('input', { bubbles: true })) })); return times })()`), 200)
  const document = await readFile(documentPath, 'utf8')
  const [before, after] = [document.slice(0, document.indexOf(begin) + begin.length), document.slice(document.indexOf(end))]
  const where = `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]!.model.trim()}), chromium ${browser.version()}, load of the machine before it began: ${load.toFixed(1)}.`
  await writeFileAtomic(documentPath, `${before}| | times | median, ms | p95, ms | limit, ms | longest, ms |\n| --- | --- | --- | --- | --- | --- |\n${figures.join('\n')}\n\n${where}\n${after}`)
} finally {
  await close()
  await browser.close()
}
