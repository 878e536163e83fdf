import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as electron from 'electron'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkshop, type Workshop } from '../../engine/cli/testing/command.ts'
import { appRequests, channels, type AppAnswers, type AppArguments, type AppRequest, type FromHost, type RunState } from '../../engine/contract/index.ts'
import { contentPolicy } from '../../engine/page/index.ts'
import type * as Fake from '../testing/electron.ts'
import { startDesktop } from './desktop.ts'

const { app, BrowserWindow, dialog, Frame, ipcMain, Menu, Notification, powerSaveBlocker, session, shell } = electron as unknown as typeof Fake

let workshop: Workshop
let window: Fake.BrowserWindow
let folder: string

const invoke = (channel: string, args: unknown, frame = window.webContents.mainFrame): Promise<unknown> => ipcMain.handlers.get(channel)!({ senderFrame: frame } as never, args as never) as Promise<unknown>

let count = 0
const answerOf = async <R extends AppRequest>(request: R, args: AppArguments<R>): Promise<FromHost> => (await invoke(channels.ask, { ask: count++, request, args })) as FromHost
const ask = async <R extends AppRequest>(request: R, args: AppArguments<R>): Promise<AppAnswers[R]> => {
  const answer = await answerOf(request, args)
  if ('result' in answer) return answer.result as AppAnswers[R]
  throw new Error('error' in answer ? answer.error.message : 'expected an answer')
}
const pick = (what: string, path: string): Promise<unknown> => {
  dialog.picks.push(path)
  return invoke(channels.pick, what)
}

const corpus = async (): Promise<AppAnswers['library']['data'][number]> => (await ask('library', {})).data.find(({ path }) => path === workshop.manifest)!

const load = async (path: string, method = 'GET', host = 'cald'): Promise<Response> => (await session.defaultSession.asked.app!({ url: `app://${host}${path}`, method } as never)) as Response

beforeAll(async () => {
  workshop = await openWorkshop()
  folder = await mkdtemp(join(tmpdir(), 'cald-desktop-'))
  const renderer = join(folder, 'renderer')
  await mkdir(renderer)
  await writeFile(join(renderer, 'index.html'), '<!doctype html><title>app</title><meta property="csp-nonce" nonce="CSP_NONCE">')
  await writeFile(join(folder, 'secret.html'), 'secret')
  app.userData = folder
  await startDesktop({ renderer })
  window = BrowserWindow.all[0]!
})
afterAll(() => void app.emit('will-quit', {}))

describe('the window', () => {
  it('is sandboxed, isolated and without Node, and loads only the app', () => {
    expect(window.options.webPreferences).toMatchObject({ sandbox: true, contextIsolation: true, nodeIntegration: false, nodeIntegrationInWorker: false, nodeIntegrationInSubFrames: false, webviewTag: false, webSecurity: true, allowRunningInsecureContent: false, navigateOnDragDrop: false })
    expect(window.address).toBe('app://cald/')
    expect([window.options.minWidth, window.options.minHeight]).toEqual([1024, 700])
  })

  it('goes nowhere else, opens no window, embeds none', () => {
    expect(window.webContents.openHandler!({ url: 'https://example.org' })).toEqual({ action: 'deny' })
    for (const [event, url, stays] of [
      ['will-navigate', 'https://example.org/', true],
      ['will-navigate', 'file:///etc/passwd', true],
      ['will-navigate', 'app://other/', true],
      ['will-frame-navigate', 'data:text/html,x', true],
      ['will-redirect', 'https://example.org/', true],
      ['will-navigate', 'app://cald/', false],
    ] as const) {
      let prevented = false
      window.webContents.emit(event, { url, preventDefault: () => (prevented = true) })
      expect(prevented, `${event} ${url}`).toBe(stays)
    }
    let prevented = false
    window.webContents.emit('will-attach-webview', { preventDefault: () => (prevented = true) })
    expect(prevented).toBe(true)
  })

  it('has no permission, and no network', () => {
    const { request, check, device, load: loading } = session.defaultSession.asked
    let granted: unknown
    for (const permission of ['media', 'geolocation', 'notifications', 'clipboard-read', 'openExternal']) {
      request!(window.webContents as never, permission as never, ((given: unknown) => (granted = given)) as never)
      expect(granted, permission).toBe(false)
      expect(check!(window.webContents as never, permission as never), permission).toBe(false)
    }
    expect(device!({} as never)).toBe(false)
    for (const [url, cancel] of [
      ['https://example.org/x.js', true],
      ['http://127.0.0.1:7080/', true],
      ['ws://localhost/socket', true],
      ['file:///etc/passwd', true],
      ['app://other/', true],
      ['blob:https://example.org/1', true],
      ['app://cald/main.js', false],
      ['blob:app://cald/1', false],
    ] as const) {
      let decided: unknown
      loading!({ url } as never, ((decision: unknown) => (decided = decision)) as never)
      expect(decided, url).toEqual({ cancel })
    }
  })

  it('is served with a policy that allows nothing from elsewhere, and no file but those of the app', async () => {
    const page = await load('/')
    const text = await page.text()
    expect(page.headers.get('content-security-policy')).toBe(contentPolicy(/nonce="([^"]{20,})"/.exec(text)![1]!))
    for (const path of ['/../secret.html', '/%2e%2e/secret.html', '/assets/', '//etc/passwd']) expect((await load(path)).status, path).not.toBe(200)
    expect((await load('/', 'POST')).status).toBe(405)
    expect((await load('/', 'GET', 'other')).status).toBe(405)
    expect((await load('/audio/none/0')).status).toBe(400)
    for (const answer of [page, await load('/none'), await load('/', 'POST')]) {
      expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none';/)
      expect([answer.headers.get('x-content-type-options'), answer.headers.get('cross-origin-resource-policy')]).toEqual(['nosniff', 'same-origin'])
    }
  })
})

describe('what the window asks', () => {
  it('is heard from its own page in its main frame only', async () => {
    const request = { ask: 1, request: 'library', args: {} }
    await expect(invoke(channels.ask, request, new Frame('app://cald'))).rejects.toThrow("expected the app's own page, found app://cald")
    await expect(invoke(channels.ask, request, null as never)).rejects.toThrow("expected the app's own page")
    const own = window.webContents.mainFrame as { origin: string }
    own.origin = 'https://example.org'
    await expect(invoke(channels.ask, request)).rejects.toThrow("expected the app's own page, found https://example.org")
    own.origin = 'app://cald'
    expect((await ask('library', {})).models.map(({ name }) => name)).toEqual(['Digits teacher', 'Source model'])
  })

  it('is parsed', async () => {
    await expect(invoke(channels.ask, { ask: 'x', request: 'library', args: {} })).rejects.toThrow('expected number')
    await expect(invoke(channels.pick, 'anything')).rejects.toThrow('Invalid option')
    await expect(ask('utterances', { data: '../../etc', search: '', offset: 0, limit: 10 })).rejects.toThrow('utterances: data: expected an id of the library')
    await expect(ask('constructor' as AppRequest, {})).rejects.toThrow('expected a request of the contract')
  })

  it('names only paths that a person picked or dropped', async () => {
    await expect(ask('importModel', { path: workshop.model })).rejects.toThrow(`importModel: expected a path picked in a dialog or dropped on the window, found ${workshop.model}`)
    await expect(ask('listFolder', {})).rejects.toThrow('expected a path picked')
    const withPath = Object.entries(appRequests).flatMap(([request, schema]) => ('path' in (schema as { shape: object }).shape ? [request as AppRequest] : []))
    expect(withPath.length).toBeGreaterThan(3)
    for (const request of withPath) await expect(ask(request, { path: '/etc/passwd' }), request).rejects.toThrow(`${request}: expected a path picked in a dialog or dropped on the window, found /etc/passwd`)
    expect(await invoke(channels.pick, 'model')).toBeNull()
    expect(await pick('model', workshop.model)).toBe(workshop.model)
    await expect(ask('importModel', { path: `${workshop.model}-other` })).rejects.toThrow('expected a path picked')
    await expect(ask('importModel', { path: join(workshop.model, '..', '..') })).rejects.toThrow('expected a path picked')
    expect(await ask('importModel', { path: workshop.model })).toMatchObject({ name: 'model', origin: 'imported' })
    await invoke(channels.dropped, workshop.manifest)
    expect((await ask('importData', { path: workshop.manifest })).facts.utterances).toBe(8)
    const sound = await load(`/audio/${(await corpus()).id}/0`)
    expect([sound.status, sound.headers.get('content-type'), (await sound.arrayBuffer()).byteLength]).toEqual([200, 'audio/wav', 44 + 2 * 8000])
  })

  it('shows where things lie that the library names, and nothing else', async () => {
    await invoke(channels.reveal, workshop.model)
    await expect(invoke(channels.reveal, '/etc/passwd')).rejects.toThrow('expected a path of the library')
    expect(shell.shown).toEqual([workshop.model])
  })
})

describe('the app', () => {
  it('comes forward when it is started again', () => {
    window.minimized = true
    app.emit('second-instance', {})
    expect([window.minimized, window.focused]).toEqual([false, true])
    expect(BrowserWindow.all).toHaveLength(1)
  })

  it('leads the window to each place of its menu', () => {
    const { submenu } = (Menu.template as { label?: string; submenu: { label: string; accelerator: string; click: () => void }[] }[]).find(({ label }) => label === 'Go')!
    for (const { click } of submenu) click()
    expect(window.webContents.sent.filter(([channel]) => channel === channels.place).map(([, place]) => place)).toEqual(['/home', '/models', '/data', '/convert', '/runs', '/compare', '/settings'])
    expect(submenu.map(({ accelerator }) => accelerator)).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `CmdOrCtrl+${n}`))
  })
})

describe('the engine', () => {
  const runState = async (id: string): Promise<AppAnswers['library']['runs'][number]> => (await ask('library', {})).runs.find((run) => run.id === id)!
  const until = async (id: string, fits: (run: AppAnswers['library']['runs'][number]) => boolean): Promise<AppAnswers['library']['runs'][number]> => {
    for (;;) {
      const found = await runState(id).catch(() => undefined)
      if (found !== undefined && fits(found)) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  it('may be killed, its host too: the window stays, and the run goes on from its checkpoint to the end', { timeout: 120_000 }, async () => {
    const { models } = await ask('library', {})
    const run = await ask('startConversion', {
      name: 'Overnight',
      teacher: models.find(({ path }) => path === workshop.model)!.id,
      train: (await corpus()).id,
      dev: (await corpus()).id,
      guidance: { guidance: 'target', layerwiseWeight: 1, outputWeight: 0.25 },
      mixer: { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 },
      training: { updates: 300, batchSeconds: 2, schedule: { peak: 1e-3, warmupUpdates: 2, decay: 'none', floor: 0 }, weightDecay: 0, clipNorm: 1, freezeFrontend: true, evaluateEvery: 5, seed: 1 },
    })
    await until(run.id, ({ update }) => update >= 6)
    expect(powerSaveBlocker.on.size).toBe(1)

    dialog.answers.push(0)
    app.quit()
    expect(app.quits).toBe(0)
    expect(dialog.asked.at(-1)).toMatchObject({ message: 'Quit?', buttons: ['Keep running', 'Quit'] })

    const children = await childrenOf(process.pid)
    const host = children.find(({ command }) => command.includes('engine-host'))!
    process.kill(host.pid, 'SIGKILL')
    const interrupted = await until(run.id, ({ state }) => state !== 'running')
    expect(interrupted).toMatchObject({ state: 'interrupted', error: 'the app ended while it ran' })
    expect(window.webContents.sent.filter(([channel]) => channel === channels.connection).map(([, connected]) => connected)).toEqual([false, true])
    expect(powerSaveBlocker.on.size).toBe(0)
    // Nobody is left who computes for the host that is gone.
    for (const { pid } of children) expect(() => process.kill(pid, 0), String(pid)).toThrow('ESRCH')

    await ask('resumeRun', { id: run.id })
    const done = await until(run.id, ({ state }) => (['done', 'failed'] satisfies RunState[] as RunState[]).includes(state))
    expect([done.state, done.update, done.error]).toEqual(['done', 300, undefined])
    expect((await ask('metrics', { id: run.id })).update).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
    await until(run.id, () => Notification.shown.length > 0)
    expect(Notification.shown).toEqual([{ title: 'Overnight', body: 'The conversion is done.' }])
    expect(powerSaveBlocker.on.size).toBe(0)
  })

  it('measures latency in processes that main starts for it', { timeout: 120_000 }, async () => {
    const { models, comparisons } = await ask('library', {})
    expect(comparisons).toEqual([])
    const [first, second] = [models.find(({ kind }) => kind === 'transformer')!, models.find(({ kind }) => kind === 'student')!]
    const { id } = await ask('startComparison', { first: first.id, second: second.id, data: (await corpus()).id })
    const settled = async (): Promise<AppAnswers['library']['comparisons'][number]> => {
      for (;;) {
        const found = (await ask('library', {})).comparisons.find((one) => one.id === id)
        if (found !== undefined && found.state !== 'running' && found.latency?.state !== 'running') return found
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    expect((await settled()).error).toBeUndefined()
    await ask('measureLatency', { id, durations: [1], repeats: 1 })
    expect(await settled()).toMatchObject({ state: 'done', latency: { state: 'done', error: undefined } })
  })

  it('goes on with another library, and keeps where it lies', async () => {
    const other = join(folder, 'other')
    dialog.picks.push(other)
    const file = (Menu.template as { label?: string; submenu: { label?: string; click?: () => void }[] }[]).find(({ label }) => label === 'File')!
    file.submenu[0]!.click!()
    for (;;) {
      const store = await ask('choices', {}).then((choices) => choices.store, () => undefined)
      if (store === other) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect((await ask('library', {})).runs).toEqual([])
    expect(JSON.parse(await readFile(join(folder, 'desktop.json'), 'utf8'))).toMatchObject({ store: other })
  })
})

interface Running {
  readonly pid: number
  readonly command: string
}

/** Processes under one, at any depth, from /proc. */
const childrenOf = async (pid: number): Promise<Running[]> => {
  const all = await Promise.all(
    (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (name) => {
      const [status, command] = await Promise.all(['status', 'cmdline'].map((file) => readFile(join('/proc', name, file), 'utf8').catch(() => '')))
      return { pid: Number(name), parent: Number(/PPid:\s+(\d+)/.exec(status!)?.[1]), command: command! }
    }),
  )
  const under = (parent: number): Running[] => all.filter((one) => one.parent === parent).flatMap((one) => [one, ...under(one.pid)])
  return under(pid).filter(({ command }) => command.includes('Process') || command.includes('engine-host'))
}
