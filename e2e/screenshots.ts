import { mkdir, mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Library } from '../engine/contract/index.ts'
import { setTheme } from './axe.ts'
import { openBrowser, startApp } from './browser.ts'

/** Every screen in both themes at two sizes, filled by the real engine: npm run screenshots [-- FOLDER [STORE]]. */
const out = process.argv[2] ?? 'screenshots'
const store = process.argv[3] ?? join(await mkdtemp(join(tmpdir(), 'cald-screens-')), 'store')
await mkdir(out, { recursive: true })
const browser = await openBrowser()
const app = startApp(store)
try {
  const page = await browser.newPage()
  page.setDefaultTimeout(60_000)
  await page.goto(await app.address())
  const begin = page.getByRole('button', { name: 'Run a first conversion' })
  await begin.or(page.getByRole('button', { name: 'Run it again' })).first().waitFor()
  const origin = new URL(page.url()).origin
  const shoot = async (screens: readonly string[]): Promise<void> => {
    for (const theme of ['light', 'dark'] as const) {
      await setTheme(page, theme)
      for (const [width, height] of [[1024, 700], [1440, 900]] as const) {
        await page.setViewportSize({ width, height })
        for (const screen of screens) {
          const [name, address] = screen.split('=') as [string, string]
          await page.goto(`${origin}/#/${address}`)
          await page.locator('h1').first().waitFor()
          await page.waitForTimeout(700)
          await page.screenshot({ path: join(out, `${name}-${theme}-${width}.png`) })
        }
      }
    }
  }
  if (await begin.isVisible()) {
    await shoot(['home-empty=home', 'data-empty=data', 'runs-empty=runs', 'compare-empty=compare'])
    await page.goto(`${origin}/#/home`)
    await begin.click()
    await page.waitForURL(/#\/compare\/compare-/, { timeout: 600_000 })
  }
  const { models, data, runs, comparisons } = JSON.parse(await readFile(join(store, 'library.json'), 'utf8')) as Library
  const of = (name: string, entries: readonly { id: string }[]): string => `${name}=${name === 'model' ? 'models' : name === 'run' ? 'runs' : name === 'comparison' ? 'compare' : 'data'}/${entries.at(-1)!.id}`
  await shoot(['home=home', 'models=models', of('model', models), 'data=data', of('corpus', data), 'convert=convert', 'runs=runs', of('run', runs), 'compare=compare', of('comparison', comparisons), 'settings=settings'])
} finally {
  await browser.close()
  await app.close()
}
