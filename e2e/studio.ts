import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { _electron, type Locator, type Page } from 'playwright-core'
import { findElectron } from '../electron/binary.ts'
import type { Library } from '../engine/contract/index.ts'
import { complaintsOf, openBrowser, startApp } from './browser.ts'
import { traced } from './keeping.ts'
import { keyboardOf, type Keyboard } from './keyboard.ts'

/** The app as a person has it before them: `cald serve` in a browser or, with `CALD_E2E=desktop`, Electron's window. Both have the real engine. */
export interface Studio {
  readonly page: Page
  readonly keyboard: Keyboard
  /** The library's folder. */
  readonly store: string
  /** The library as it stands on disk. */
  readonly library: () => Promise<Library>
  /** A figure that the page shows, by its name. */
  readonly figure: (name: string) => Promise<string>
  /** Imports a path with the button of this name, by keyboard, in the page's own dialog or in the desktop's, which answers by itself; and takes what was found there, where it can be. */
  readonly importPath: (button: string, path: string) => Promise<void>
  /** Kills the process that computes, as a crash would, and says how its end is told. */
  readonly killEngine: () => Promise<string>
  /** What the page complained of so far. */
  readonly complaints: readonly string[]
  readonly close: () => Promise<void>
}

interface Opened {
  readonly page: Page
  readonly store: string
  readonly begin: () => Promise<void>
  readonly importPath: (keyboard: Keyboard, button: Locator, path: string) => Promise<void>
  readonly pid: number
  readonly killed: string
  readonly close: () => Promise<void>
}

const root = join(import.meta.dirname, '..')
const longest = 60_000

/** Opens the app on a new library in `folder` and waits for its first screen. */
export const openStudio = async (folder: string, viewport: { readonly width: number; readonly height: number }): Promise<Studio> => {
  const { page, store, begin, importPath, pid, killed, close } = process.env.CALD_E2E === 'desktop' ? await openDesktop(folder) : await openServed(join(folder, 'library'), viewport)
  page.setDefaultTimeout(longest)
  const [keyboard, complaints] = [keyboardOf(page), complaintsOf(page)]
  await traced(page, async () => {
    await begin()
    await page.getByRole('button', { name: 'Run a first conversion' }).waitFor()
  }).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return {
    page,
    keyboard,
    store,
    library: async () => JSON.parse(await readFile(join(store, 'library.json'), 'utf8')) as Library,
    figure: (name) => page.locator(`[data-figure="${name}"]`).innerText(),
    importPath: async (button, path) => {
      const another = page.getByRole('button', { name: 'Another one …' })
      if (await another.isVisible()) await keyboard.press(another)
      await importPath(keyboard, page.getByRole('button', { name: button }), path)
      await takeFound(page, keyboard)
    },
    killEngine: async () => {
      process.kill(await busiestChild(pid), 'SIGKILL')
      return killed
    },
    complaints,
    close,
  }
}

const openServed = async (store: string, viewport: { readonly width: number; readonly height: number }): Promise<Opened> => {
  const browser = await openBrowser()
  const app = startApp(store)
  const page = await browser.newPage({ viewport, acceptDownloads: true })
  return {
    page,
    store,
    begin: async () => {
      await page.goto(await app.address())
    },
    importPath: async ({ press, fill }, button, path) => {
      if (!(await page.getByRole('dialog').isVisible())) await press(button)
      await fill(page.getByRole('textbox', { name: 'Path' }), path)
      await page.keyboard.press('Enter')
    },
    pid: app.process.pid!,
    killed: 'SIGKILL',
    close: async () => {
      await browser.close()
      await app.close()
    },
  }
}

const openDesktop = async (folder: string): Promise<Opened> => {
  const app = await _electron.launch({ executablePath: findElectron()!, args: [root, `--user-data-dir=${folder}`], cwd: root, acceptDownloads: true })
  const page = await app.firstWindow()
  return {
    page,
    store: join(folder, 'library'),
    begin: () => Promise.resolve(),
    importPath: async ({ press }, button, path) => {
      await app.evaluate(({ dialog }, picked) => {
        dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [picked] })
      }, path)
      await press((await page.getByRole('dialog').isVisible()) ? page.getByRole('button', { name: 'Choose …' }) : button)
    },
    pid: app.process().pid!,
    killed: 'exit code',
    close: () => app.close(),
  }
}

/** Adds what the dialog of an import found to the library, or leaves the dialog with what it says is wrong. A recording is taken without asking. */
const takeFound = async (page: Page, { press }: Keyboard): Promise<void> => {
  const [dialog, add] = [page.getByRole('dialog'), page.getByRole('button', { name: 'Add to the library' })]
  // The dialog is gone when what was found is in the library and its page is there, and not before: until then its title is the name of what was found.
  let asked = false
  while ((await dialog.count()) > 0 && (await dialog.getByRole('alert').count()) === 0) {
    if (!asked && (await add.isVisible())) {
      await press(add)
      asked = true
    }
    await page.waitForTimeout(50)
  }
}

/** The process under another that computes just now: it takes most of the processor's time over half a second. */
const busiestChild = async (parent: number): Promise<number> => {
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent)]).toString().trim().split('\n').map(Number)
  // The 14th and 15th fields of /proc/PID/stat, after a name in parentheses that may hold anything.
  const ticks = (pid: number): number => {
    const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ').slice(11, 13).map(Number)
    return user! + system!
  }
  const before = children.map(ticks)
  await new Promise((resolve) => setTimeout(resolve, 500))
  const taken = children.map((pid, i) => ticks(pid) - before[i]!)
  return children[taken.indexOf(Math.max(...taken))]!
}
