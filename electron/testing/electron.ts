/**
 * What the tests of main and preload get for `electron`, whose binary they do without. It keeps what it is given, and lets a test do what a person or Chromium would; its utility
 * processes are real ones, forked by Node. The code itself is checked against Electron's own types.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'

type Handler = (...args: never[]) => unknown

class App extends EventEmitter {
  sandboxed = false
  first = true
  quits = 0
  userData = ''
  enableSandbox = (): void => void (this.sandboxed = true)
  requestSingleInstanceLock = (): boolean => this.first
  whenReady = (): Promise<void> => Promise.resolve()
  getPath = (): string => this.userData
  exit = (): void => undefined
  /** As Electron does: asks `before-quit`, which may prevent it, then says `will-quit`. */
  quit = (): void => {
    const asked = { prevented: false, preventDefault: () => void (asked.prevented = true) }
    this.emit('before-quit', asked)
    if (asked.prevented) return
    this.quits++
    this.emit('will-quit', {})
  }
}
export const app = new App()

export class Frame {
  readonly origin: string
  constructor(origin: string) {
    this.origin = origin
  }
}

export class Contents extends EventEmitter {
  readonly mainFrame = new Frame('app://cald')
  readonly sent: [string, unknown][] = []
  openHandler: ((details: { url: string }) => unknown) | undefined
  send = (channel: string, message: unknown): void => {
    this.sent.push([channel, message])
    this.emit('sent')
  }
  setWindowOpenHandler = (handler: (details: { url: string }) => unknown): void => void (this.openHandler = handler)
}

export class BrowserWindow extends EventEmitter {
  static readonly all: BrowserWindow[] = []
  readonly options: Record<string, unknown>
  readonly webContents = new Contents()
  address = ''
  constructor(options: Record<string, unknown>) {
    super()
    this.options = options
    BrowserWindow.all.push(this)
    app.emit('web-contents-created', {}, this.webContents)
  }
  loadURL = (address: string): Promise<void> => {
    this.address = address
    return Promise.resolve()
  }
  minimized = false
  focused = false
  show = (): void => undefined
  focus = (): void => void (this.focused = true)
  restore = (): void => void (this.minimized = false)
  isMinimized = (): boolean => this.minimized
  isDestroyed = (): boolean => false
  getNormalBounds = (): object => ({ x: 10, y: 20, width: 1200, height: 800 })
}

export const dialog = {
  picks: [] as string[],
  answers: [] as number[],
  asked: [] as unknown[],
  showOpenDialog: (...args: unknown[]): Promise<{ filePaths: string[] }> => {
    dialog.asked.push(args.at(-1))
    const picked = dialog.picks.shift()
    return Promise.resolve({ filePaths: picked === undefined ? [] : [picked] })
  },
  showMessageBox: (...args: unknown[]): Promise<{ response: number }> => {
    dialog.asked.push(args.at(-1))
    return Promise.resolve({ response: dialog.answers.shift() ?? 0 })
  },
  showErrorBox: (): void => undefined,
}

export const ipcMain = {
  handlers: new Map<string, Handler>(),
  handle: (channel: string, handler: Handler): void => void ipcMain.handlers.set(channel, handler),
}

export const Menu = { template: [] as unknown, buildFromTemplate: (template: unknown) => template, setApplicationMenu: (menu: unknown): void => void (Menu.template = menu) }

export class Notification {
  static readonly shown: unknown[] = []
  readonly options: unknown
  constructor(options: unknown) {
    this.options = options
  }
  show = (): void => void Notification.shown.push(this.options)
}

export const powerSaveBlocker = {
  on: new Set<number>(),
  count: 0,
  start: (): number => {
    powerSaveBlocker.on.add(++powerSaveBlocker.count)
    return powerSaveBlocker.count
  },
  stop: (id: number): void => void powerSaveBlocker.on.delete(id),
}

export const protocol = { schemes: [] as unknown[], registerSchemesAsPrivileged: (schemes: unknown[]): void => void protocol.schemes.push(...schemes) }

export const session = {
  defaultSession: {
    asked: {} as Record<string, Handler>,
    setPermissionRequestHandler: (handler: Handler): void => void (session.defaultSession.asked.request = handler),
    setPermissionCheckHandler: (handler: Handler): void => void (session.defaultSession.asked.check = handler),
    setDevicePermissionHandler: (handler: Handler): void => void (session.defaultSession.asked.device = handler),
    webRequest: { onBeforeRequest: (handler: Handler): void => void (session.defaultSession.asked.load = handler) },
    protocol: { handle: (scheme: string, handler: Handler): void => void (session.defaultSession.asked[scheme] = handler) },
  },
}

export const shell = { shown: [] as string[], showItemInFolder: (path: string): void => void shell.shown.push(path) }

class UtilityProcess extends EventEmitter {
  readonly #child: ChildProcess
  constructor(child: ChildProcess) {
    super()
    this.#child = child
    child.on('message', (message) => this.emit('message', message))
    child.once('exit', (code) => this.emit('exit', code ?? 1))
  }
  get pid(): number | undefined {
    return this.#child.pid
  }
  postMessage = (message: unknown): void => void this.#child.send(message as object, () => undefined)
  kill = (): boolean => this.#child.kill('SIGKILL')
}

export const utilityProcess = {
  fork: (entry: string, args: string[]): UtilityProcess =>
    new UtilityProcess(fork(entry, args, { execArgv: ['--import', 'tsx', '--import', new URL('./parentPort.ts', import.meta.url).href], serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })),
}

export const contextBridge = { exposed: {} as Record<string, unknown>, exposeInMainWorld: (name: string, value: unknown): void => void (contextBridge.exposed[name] = value) }

export const ipcRenderer = Object.assign(new EventEmitter(), { invoked: [] as unknown[][], invoke: (...args: unknown[]): Promise<unknown> => (ipcRenderer.invoked.push(args), Promise.resolve(null)) })

export const webUtils = { getPathForFile: (file: { path?: string }): string => file.path ?? '' }
