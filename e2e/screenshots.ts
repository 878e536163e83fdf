import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTheme } from './axe.ts'
import { openBrowser } from './browser.ts'
import buildApp from './buildApp.ts'
import { walkStates } from './states.ts'

/** Every state of every screen in both themes at two sizes, filled by the real engine: npm run screenshots [-- FOLDER]. */
const out = process.argv[2] ?? 'screenshots'
const themes = ['light', 'dark'] as const
const sizes = [[1024, 700], [1440, 900]] as const

/** Where the library is: pictures show its path. */
const folder = join(tmpdir(), 'cald-studio')

await mkdir(out, { recursive: true })
await buildApp()
const browser = await openBrowser()
let taken = 0
try {
  await mkdir(folder)
  await walkStates(browser, folder, async (name, page) => {
    for (const theme of themes) {
      await setTheme(page, theme)
      for (const [width, height] of sizes) {
        await page.setViewportSize({ width, height })
        await page.waitForTimeout(350)
        await page.screenshot({ path: join(out, `${name}-${theme}-${width}.png`), animations: 'disabled' })
        taken++
      }
    }
    await page.setViewportSize({ width: 1024, height: 700 })
  })
  process.stdout.write(`${taken} pictures in ${out}\n`)
} finally {
  await browser.close()
  await rm(folder, { recursive: true, force: true })
}
