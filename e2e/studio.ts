import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { _electron, type Page } from 'playwright-core'
import { findElectron } from '../electron/binary.ts'
import { openBrowser, startApp } from './browser.ts'

/** The app as a person has it before them: `cald serve` in a browser or, with `CALD_E2E=desktop`, Electron's window. Both have the real engine. */
export interface Studio {
  readonly page: Page
  /** The library's folder. */
  readonly store: string
  /** Imports a path by the button of this name, in the page's own dialog or in the desktop's, which answers by itself; what was found there is taken, where it can be. */
  readonly importPath: (button: string, path: string) => Promise<void>
  /** Kills the process that computes, as a crash would, and says how its end is told. */
  readonly killEngine: () => Promise<string>
  readonly close: () => Promise<void>
}

const root = join(import.meta.dirname, '..')

export const openStudio = (folder: string, viewport: { readonly width: number; readonly height: number }): Promise<Studio> =>
  process.env.CALD_E2E === 'desktop' ? openDesktop(folder) : openServed(join(folder, 'library'), viewport)

const openServed = async (store: string, viewport: { readonly width: number; readonly height: number }): Promise<Studio> => {
  const browser = await openBrowser()
  const app = startApp(store)
  const page = await browser.newPage({ viewport, acceptDownloads: true })
  await page.goto(await app.address())
  return {
    page,
    store,
    importPath: async (button, path) => {
      await page.getByRole('button', { name: button }).click()
      await page.getByRole('textbox', { name: 'Path' }).fill(path)
      await page.getByRole('button', { name: 'Import', exact: true }).click()
      await takeFound(page)
    },
    killEngine: async () => {
      process.kill(await busiestChild(app.process.pid!), 'SIGKILL')
      return 'SIGKILL'
    },
    close: async () => {
      await browser.close()
      await app.close()
    },
  }
}

const openDesktop = async (folder: string): Promise<Studio> => {
  const app = await _electron.launch({ executablePath: findElectron()!, args: [root, `--user-data-dir=${folder}`], cwd: root })
  const page = await app.firstWindow()
  return {
    page,
    store: join(folder, 'library'),
    importPath: async (button, path) => {
      await app.evaluate(({ dialog }, picked) => {
        dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [picked] })
      }, path)
      await page.getByRole('button', { name: button }).click()
      await takeFound(page)
    },
    killEngine: async () => {
      process.kill(await busiestChild(app.process().pid!), 'SIGKILL')
      return 'exit code'
    },
    close: () => app.close(),
  }
}

/** Adds what an import's dialog found to the library, or leaves the dialog with what it says is wrong. A recording is taken at once. */
const takeFound = async (page: Page): Promise<void> => {
  const add = page.getByRole('button', { name: 'Add to the library' })
  const dialog = page.getByRole('dialog')
  while ((await dialog.count()) > 0 && (await dialog.getByRole('alert').count()) === 0) {
    if (await add.isEnabled({ timeout: 200 }).catch(() => false)) return add.click()
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
