import { app, BrowserWindow, dialog, session, type Rectangle } from 'electron'
import { fileURLToPath } from 'node:url'
import { channels, type AppEvent, type FromHost } from '../../engine/contract/index.ts'
import { readStaticFiles } from '../../engine/page/index.ts'
import { serveApp } from './appProtocol.ts'
import { Attention } from './attention.ts'
import { EngineHost } from './engineHost.ts'
import { PathGrants } from './grants.ts'
import { hardenContents, hardenSession, origin, webPreferences } from './hardening.ts'
import { setMenu } from './menu.ts'
import { Places } from './places.ts'
import { answerRequests } from './requests.ts'
import { Switchboard } from './switchboard.ts'

const compiled = import.meta.url.endsWith('.js')
const at = (path: string): URL => new URL(path, import.meta.url)
const smallest = { width: 1024, height: 700 }

/** Everything after Electron is ready. */
export const startDesktop = async ({ renderer = fileURLToPath(at(compiled ? '../../renderer' : '../../dist/renderer')) } = {}): Promise<void> => {
  const files = await readStaticFiles(renderer)
  const places = await Places.open(app.getPath('userData'))
  const switchboard = new Switchboard(at('../../').href)
  const attention = new Attention()
  const grants = new PathGrants()
  let window: BrowserWindow | undefined
  const send = (channel: string, message: unknown): void => {
    if (window !== undefined && !window.isDestroyed()) window.webContents.send(channel, message)
  }
  const hear = (event: AppEvent): void => {
    if (event.kind === 'library') attention.hear(event.library)
    send(channels.message, { event } satisfies FromHost)
  }
  const host = new EngineHost(switchboard, at(compiled ? '../engine-host/index.js' : '../engine-host/index.ts'), places.store, {
    onEvent: hear,
    onConnection: (connected) => {
      if (!connected) attention.sleep()
      send(channels.connection, connected)
    },
  })
  const soundOf = async (data: string, utterance: number): Promise<Uint8Array> => {
    const answer = await host.ask({ sound: { data, utterance } })
    if ('error' in answer) throw new Error(answer.error.message)
    return answer.result as Uint8Array
  }

  hardenSession(session.defaultSession)
  serveApp(session.defaultSession, files, soundOf)
  app.on('web-contents-created', (_, contents) => hardenContents(contents))
  answerRequests({ window: () => window, host, grants })

  const open = (): void => {
    window = openWindow(places.bounds, (bounds) => void places.keep({ bounds }).catch(() => undefined))
    window.once('closed', () => (window = undefined))
  }
  const chooseLibrary = async (): Promise<void> => {
    const { filePaths } = await dialog.showOpenDialog({ title: 'Open another library', properties: ['openDirectory', 'createDirectory'], defaultPath: places.store })
    const [store] = filePaths
    if (store === undefined || (attention.running && !(await agreed(window, 'Open the other library', 'A conversion is under way. It stops at its last checkpoint, and can be resumed when this library is open again.')))) return
    await places.keep({ store })
    host.open(store)
  }
  setMenu({ go: (place) => send(channels.place, place), chooseLibrary: () => void chooseLibrary().catch(showFailure) })

  app.on('second-instance', () => {
    if (window === undefined) open()
    else {
      if (window.isMinimized()) window.restore()
      window.focus()
    }
  })
  app.on('activate', () => {
    if (window === undefined) open()
  })
  // On macOS an app lives on without windows; elsewhere it does where a run is to be kept running, and is opened again by starting it again.
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  let agreedToQuit = false
  app.on('before-quit', (event) => {
    if (!attention.running || agreedToQuit) return
    event.preventDefault()
    agreed(window, 'Quit', 'A conversion is under way. It stops at its last checkpoint, and the app offers to resume it when it is opened again.').then((quits) => {
      agreedToQuit = quits
      if (quits) app.quit()
    }, showFailure)
  })
  app.on('will-quit', () => {
    attention.sleep()
    host.close()
    switchboard.close()
  })
  open()
}

const openWindow = (bounds: Rectangle | undefined, moved: (bounds: Rectangle) => void): BrowserWindow => {
  const window = new BrowserWindow({
    ...(bounds ?? { width: 1440, height: 900 }),
    minWidth: smallest.width,
    minHeight: smallest.height,
    show: false,
    webPreferences: { ...webPreferences, preload: fileURLToPath(at(compiled ? '../preload/index.cjs' : '../../dist/electron/preload/index.cjs')) },
  })
  window.once('ready-to-show', () => window.show())
  window.on('close', () => moved(window.getNormalBounds()))
  void window.loadURL(`${origin}/`)
  return window
}

const agreed = async (window: BrowserWindow | undefined, action: string, detail: string): Promise<boolean> => {
  const question = { type: 'question' as const, message: `${action}?`, detail, buttons: ['Keep running', action], defaultId: 0, cancelId: 0 }
  const { response } = await (window === undefined ? dialog.showMessageBox(question) : dialog.showMessageBox(window, question))
  return response === 1
}

const showFailure = (error: unknown): void => dialog.showErrorBox('CALD Studio', error instanceof Error ? error.message : String(error))
