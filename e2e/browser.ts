import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { findChromium } from './findChromium.ts'

export const openBrowser = (): Promise<Browser> => {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('expected chromium for the end-to-end tests, found none: npx tsx e2e/installBrowser.ts, or set CHROMIUM to its path')
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--autoplay-policy=no-user-gesture-required', '--mute-audio'] })
}

const root = join(import.meta.dirname, '..')

export interface ServedApp {
  /** The next address that opens a browser. */
  readonly address: () => Promise<string>
  readonly process: ChildProcess
  readonly close: () => Promise<void>
}

/** Starts `cald serve` on a library of its own, from source, with the built renderer. */
export const startApp = (store: string): ServedApp => {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'engine/cli/main.ts'), 'serve', '--port', '0', '--store', store], { stdio: ['ignore', 'pipe', 'inherit'] })
  const addresses: string[] = []
  const waiting: ((address: string) => void)[] = []
  child.stdout.on('data', (data: Buffer) => {
    for (const line of data.toString().split('\n').filter((text) => text.startsWith('http'))) {
      const next = waiting.shift()
      if (next === undefined) addresses.push(line)
      else next(line)
    }
  })
  const address = (): Promise<string> => {
    const known = addresses.pop()
    addresses.length = 0
    return known === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(known)
  }
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      child.once('close', () => resolve())
      child.kill('SIGTERM')
    })
  return { address, process: child, close }
}

/** What a page complained of so far: errors of its scripts, and of the console (a policy that was broken, an answer that failed). */
export const complaintsOf = (page: Page): string[] => {
  const found: string[] = []
  page.on('pageerror', (error) => found.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') found.push(message.text())
  })
  return found
}
