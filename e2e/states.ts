import { cp, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import type { AppAnswers, AppArguments, AppRequest, ConversionInput, Library } from '../engine/contract/index.ts'
import { startApp } from './browser.ts'

/**
 * Every screen of the app, filled by the real engine, and what it looks like empty, while it loads, when something is wrong, and with very long things in it: for the pictures
 * (`npm run screenshots`) and for axe. `look` is called once in each state.
 */
const root = join(import.meta.dirname, '..')
const long = 'A recogniser for interviews from the north coast, third revision, with the vocabulary of the harbour and of everything that floats'

const training = (updates: number): ConversionInput['training'] => ({
  updates,
  batchSeconds: 20,
  schedule: { peak: 1e-3, warmupUpdates: Math.floor(updates / 10), decay: 'cosine', floor: 1e-5 },
  weightDecay: 0.005,
  clipNorm: 1,
  freezeFrontend: true,
  evaluateEvery: Math.min(15, updates),
  seed: 2,
})

/** Asks the engine past the page, over a socket of the page's own session. */
const asker = (page: Page) => <R extends AppRequest>(request: R, args: AppArguments<R>): Promise<AppAnswers[R]> =>
  page.evaluate<AppAnswers[R]>(`new Promise((resolve, reject) => {
    const socket = new WebSocket('ws://' + location.host + '/socket')
    socket.onopen = () => socket.send(${JSON.stringify(JSON.stringify({ ask: 7, request, args }))})
    socket.onerror = () => reject(new Error('no socket'))
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data)
      if (message.answer !== 7) return
      socket.close()
      if (message.error) reject(new Error(message.error.message))
      else resolve(message.result)
    }
  })`)

export interface Look {
  (name: string, page: Page): Promise<void>
}

export const walkStates = async (browser: Browser, folder: string, look: Look): Promise<void> => {
  const store = join(folder, 'store')
  // The dialogs begin in the home folder.
  process.env.HOME = folder
  const app = startApp(store)
  const page = await browser.newPage({ viewport: { width: 1024, height: 700 } })
  page.setDefaultTimeout(30_000)
  /** Requests that get no answer, and whether there is an engine at all. */
  const held = new Set<AppRequest>()
  let reachable = true
  await page.routeWebSocket(/\/socket$/, (socket) => {
    if (!reachable) {
      void socket.close()
      return
    }
    const server = socket.connectToServer()
    socket.onMessage((message) => {
      if (!held.has((JSON.parse(message.toString()) as { request: AppRequest }).request)) server.send(message)
    })
  })
  const ask = asker(page)
  const failures: string[] = []
  const library = async (): Promise<Library> => JSON.parse(await readFile(join(store, 'library.json'), 'utf8')) as Library
  const origin = new URL(await app.address().then(async (address) => (await page.goto(address), page.url()))).origin

  interface Held {
    readonly hold?: readonly AppRequest[]
    readonly act?: () => Promise<unknown>
  }
  const state = async (name: string, address: string, { hold = [], act }: Held = {}): Promise<void> => {
    await page.goto('about:blank')
    for (const request of hold) held.add(request)
    try {
      await page.goto(`${origin}/#/${address}`)
      await page.locator('h1').first().waitFor()
      await act?.()
      await look(name, page)
    } catch (error) {
      // The others are still worth a look.
      failures.push(`${name}: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`)
    }
    held.clear()
  }
  const press = (name: string | RegExp): Promise<void> => page.getByRole('button', { name }).first().click()
  const until = async (fits: (library: Library) => boolean): Promise<void> => {
    while (!fits(await library())) await page.waitForTimeout(100)
  }
  const settle = (selector: string) => (): Promise<void> => page.locator(selector).first().waitFor()

  try {
    // Nothing there yet.
    for (const place of ['home', 'data', 'runs', 'compare', 'convert'] as const) await state(`${place}-empty`, place)
    await state('opening', 'home', { hold: ['library'] })
    await page.goto('about:blank')
    reachable = false
    await page.goto(`${origin}/#/home`)
    await page.getByRole('alert').waitFor()
    await look('no-engine', page)
    reachable = true

    // Everything that the first button makes, and more.
    await page.goto('about:blank')
    await page.goto(`${origin}/#/home`)
    await press('Run a first conversion')
    await until(({ runs }) => runs.some(({ state: now }) => now === 'running'))
    await state('home-working', 'home')
    await page.goto(`${origin}/#/home`)
    await until(({ firstMinute }) => firstMinute.state !== 'running')
    const { models, data, comparisons, runs } = await library()
    const named = (name: string): string => data.find((one) => one.name === name)!.id
    const [teacher, student, train, dev] = [models.find(({ name }) => name === 'Digits teacher')!.id, models.find(({ origin: from }) => from === 'run')!.id, named('Digits, training'), named('Digits, development')]
    const conversion = (name: string, updates: number, more: Partial<ConversionInput> = {}): ConversionInput => ({
      name,
      teacher,
      train,
      dev,
      guidance: { guidance: 'hybrid', layerwiseWeight: 3.75, outputWeight: 0.25, switchUpdate: Math.ceil(updates / 2) },
      mixer: { expand: 1, dState: 32, dConv: 4, headdim: 32, ngroups: 1 },
      training: training(updates),
      ...more,
    })
    const longModel = join(folder, 'checkpoints', long)
    await cp(join(root, 'assets/models/digits'), longModel, { recursive: true })
    const longData = join(folder, 'interviews')
    await mkdir(longData)
    const speech = await readFile(join(store, 'speech/dev/manifest.jsonl'), 'utf8')
    const lines = speech.trim().split('\n').map((line) => JSON.parse(line) as { audio_filepath: string; text: string })
    const absolute = lines.map((line) => ({ ...line, audio_filepath: join(store, 'speech/dev', line.audio_filepath) }))
    const manifest = join(longData, `${long}.jsonl`)
    await writeFileAtomic(manifest, [{ ...absolute[0]!, text: `${long}. `.repeat(6) }, { ...absolute[1]!, text: undefined }, ...absolute.slice(2), { audio_filepath: 'recordings/gone.wav', text: 'one', duration: 2 }].map((line) => JSON.stringify(line)).join('\n'))
    const { id: longId } = await ask('importModel', { path: longModel })
    const { id: longDataId } = await ask('importData', { path: manifest })
    await ask('splitData', { id: train, dev: 0.1, test: 0.1, by: 'speaker', seed: 1 })
    await ask('startConversion', conversion(long.slice(0, 80), 45))
    await ask('startConversion', conversion('Interviews', 10, { train: longDataId }))
    await until(({ runs: all }) => all.length === 3 && all.every(({ state: now }) => now !== 'running' && now !== 'queued'))
    const after = await library()
    const [firstRun, longRun, failedRun] = [runs[0]!.id, after.runs.find(({ name }) => name.startsWith('A recogniser'))!.id, after.runs.find(({ name }) => name === 'Interviews')!.id]
    const comparison = comparisons[0]!.id
    await ask('measureLatency', { id: comparison, durations: [5, 20, 60], repeats: 1 })
    await until(({ comparisons: all }) => all[0]!.latency?.state === 'done')
    const { id: failedComparison } = await ask('startComparison', { first: teacher, second: student, data: longDataId })
    await until(({ comparisons: all }) => all.find(({ id }) => id === failedComparison)!.state !== 'running')
    await page.goto('about:blank')

    await state('home', 'home')
    await state('models', 'models')
    await state('models-none', 'models', { act: () => page.getByRole('searchbox').fill('whisper') })
    await state('model', `models/${student}`, { act: settle('.markdown') })
    await state('model-teacher', `models/${teacher}`, { act: settle('.markdown') })
    await state('model-vocabulary', `models/${teacher}`, { act: async () => { await page.getByRole('tab', { name: /Vocabulary/ }).click(); await page.locator('.tokens').scrollIntoViewIfNeeded() } })
    await state('model-long', `models/${longId}`, { act: settle('.markdown') })
    await state('model-loading', `models/${student}`, { hold: ['modelDetails'] })
    await state('model-menu', `models/${student}`, { act: () => press('More actions') })
    await state('model-gone', 'models/none')
    await state('export', `models/${student}`, { act: async () => { await press('Export …'); await page.getByRole('listitem').first().waitFor() } })
    await state('exported', `models/${student}`, {
      act: async () => {
        await press('Export …')
        await page.getByLabel('Into the folder').fill(folder)
        await page.getByRole('button', { name: 'Export', exact: true }).click()
        await page.locator('[data-figure="exported"]').waitFor()
      },
    })
    const importing = (path: string, what = 'Import a model …') => async (): Promise<void> => {
      await press(what)
      await page.getByRole('textbox', { name: 'Path' }).fill(path)
      await page.getByRole('button', { name: 'Import', exact: true }).click()
    }
    await state('import', 'models', { act: async () => { await press('Import a model …'); await page.getByRole('dialog').getByRole('listitem').first().waitFor() } })
    await state('import-wrong', 'models', { act: async () => { await importing(join(root, 'docs'))(); await page.getByRole('alert').waitFor() } })
    await state('import-checking', 'models', { hold: ['checkModel'], act: importing(join(root, 'assets/models/source')) })
    await state('import-summary', 'models', { act: async () => { await importing(join(root, 'fixtures/models/base'))(); await page.getByRole('button', { name: 'Add to the library' }).waitFor() } })
    await state('dropped', 'models', {
      act: async () => {
        const address = `file://${join(root, 'fixtures/models/stable')}`
        await page.evaluate(`(() => { const dataTransfer = new DataTransfer(); dataTransfer.setData('text/uri-list', ${JSON.stringify(address)}); document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer })) })()`)
        await page.getByRole('button', { name: 'Add to the library' }).waitFor()
      },
    })
    await state('import-data-summary', 'data', { act: async () => { await importing(manifest, 'Import data …')(); await page.getByRole('button', { name: 'Add to the library' }).waitFor() } })

    await state('data', 'data')
    await state('corpus', `data/${train}`, { act: settle('tr.on') })
    await state('corpus-none', `data/${train}`, { act: async () => { await page.getByRole('searchbox').fill('harbour'); await page.locator('.none').waitFor(); await page.locator('.none').scrollIntoViewIfNeeded() } })
    await state('corpus-long', `data/${longDataId}`, { act: settle('tr.on') })
    await state('corpus-loading', `data/${train}`, { hold: ['utterances'] })
    await state('divide', `data/${dev}`, { act: () => press('Divide …') })

    await state('convert', 'convert', { act: settle('figure') })
    await state('convert-loading', 'convert', { hold: ['choices'] })
    for (const way of ['unguided', 'trajectory', 'waypoint', 'hybrid']) await state(`convert-${way}`, 'convert', { act: async () => { await page.getByRole('radio', { name: new RegExp(way, 'i') }).check(); await page.locator('figure').scrollIntoViewIfNeeded() } })
    await state('convert-settings', 'convert', { act: async () => { await page.getByLabel('Recipe', { exact: true }).selectOption('small-recognition'); await page.getByLabel('Updates', { exact: true }).fill('200'); await page.getByText('Every other setting').click(); await page.locator('details').evaluate((details: { scrollIntoView: () => void }) => details.scrollIntoView()) } })
    await state('convert-estimating', 'convert', { hold: ['estimateConversion'], act: async () => { await press('Estimate time and memory'); await page.getByText('Rehearsing').scrollIntoViewIfNeeded() } })
    await state('convert-estimated', 'convert', { act: async () => { await press('Estimate time and memory'); await page.locator('[data-figure="estimate-seconds"]').waitFor(); await page.locator('[data-figure="estimate-seconds"]').scrollIntoViewIfNeeded() } })
    await state('convert-wrong', 'convert', { act: async () => { await page.getByText('Every other setting').click(); await page.getByLabel('Head width').fill('33'); await press('Estimate time and memory'); await page.getByRole('alert').waitFor(); await page.getByRole('alert').scrollIntoViewIfNeeded() } })

    await state('runs', 'runs')
    await state('run', `runs/${firstRun}`, { act: settle('.u-over') })
    await state('run-below', `runs/${firstRun}`, { act: async () => { await page.locator('canvas').last().waitFor(); await page.getByRole('heading', { name: 'Alignment by layer' }).evaluate((one: { scrollIntoView: () => void }) => one.scrollIntoView()) } })
    await state('run-long', `runs/${longRun}`, { act: settle('.u-over') })
    await state('run-failed', `runs/${failedRun}`)
    await state('run-loading', `runs/${firstRun}`, { hold: ['metrics'] })
    await state('runs-compared', `runs/compare/${firstRun}/${longRun}`, { act: settle('.u-over') })
    await state('runs-compared-loading', `runs/compare/${firstRun}/${longRun}`, { hold: ['metrics'] })

    await state('compare', 'compare')
    await state('comparison', `compare/${comparison}`, { act: settle('button.word') })
    await state('comparison-latency', `compare/${comparison}`, { act: () => page.getByRole('heading', { name: 'Latency and memory by length' }).evaluate((one: { scrollIntoView: () => void }) => one.scrollIntoView()) })
    await state('comparison-loading', `compare/${comparison}`, { hold: ['comparison'] })
    await state('comparison-failed', `compare/${failedComparison}`)

    await state('settings', 'settings', { act: settle('.device') })
    await state('settings-loading', 'settings', { hold: ['choices'] })
    await state('licences', 'settings', { act: async () => { await press('Licences of its parts …'); await page.locator('summary').first().waitFor() } })
    await state('move-wrong', 'settings', { act: async () => { await press('Move the library …'); await page.getByLabel('New folder').fill(root); await page.getByRole('button', { name: 'Move', exact: true }).click(); await page.getByRole('alert').waitFor() } })
    await state('shortcuts', 'home', { act: () => page.keyboard.press('?') })

    // What changes the library for good comes last: the trash, and what stands where files are gone.
    await ask('removeModel', { id: longId })
    await state('trash', 'models/trash')
    await state('trash-ask', 'models/trash', { act: () => press('Delete') })
    await state('removed', `models/${student}`, { act: async () => { await press('More actions'); await page.getByRole('menuitem', { name: 'Move to the trash' }).click(); await page.getByRole('button', { name: 'Undo' }).waitFor() } })
    await ask('restoreModel', { id: student })
    await ask('restoreModel', { id: longId })
    await rm(longModel, { recursive: true })
    await state('model-wrong', `models/${longId}`, { act: async () => { await page.getByRole('alert').waitFor(); await page.getByRole('alert').scrollIntoViewIfNeeded() } })
    const leaving = join(longData, 'leaving.jsonl')
    await cp(manifest, leaving)
    const { id: leftId } = await ask('importData', { path: leaving })
    await rm(leaving)
    await state('corpus-wrong', `data/${leftId}`, { act: async () => { await page.getByRole('alert').first().waitFor(); await page.getByRole('alert').first().scrollIntoViewIfNeeded() } })

    // While a run is under way, and when its engine is killed.
    await ask('setPreferences', { theme: 'system', device: 'auto', threads: 1 })
    const { id: live } = await ask('startConversion', conversion('Overnight', 4000))
    await ask('startConversion', conversion('Afterwards', 500))
    await until(({ runs: all }) => all.find(({ id }) => id === live)!.state === 'running')
    await page.goto('about:blank')
    await page.goto(`${origin}/#/runs/${live}`)
    await page.locator('.u-over').first().waitFor()
    await page.locator('[data-figure="best-wer"]').getByText('%').waitFor()
    await state('run-live', `runs/${live}`, { act: settle('.u-over') })
    await state('runs-live', 'runs')
    await ask('pauseRun', { id: live })
    await until(({ runs: all }) => all.find(({ id }) => id === live)!.state === 'paused')
    await state('run-paused', `runs/${live}`, { act: settle('.u-over') })
    await state('runs-paused', 'runs')
    await state('lost', 'home', {
      act: async () => {
        await page.locator('.hero').waitFor()
        app.process.kill('SIGKILL')
        await page.locator('.lost').waitFor()
      },
    })
  } finally {
    await page.close()
    app.process.kill('SIGKILL')
  }
  if (failures.length > 0) throw new Error(`states that did not come about:\n${failures.join('\n')}`)
}
