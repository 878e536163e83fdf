import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { setTheme, violations } from './axe.ts'
import { openBrowser } from './browser.ts'
import { walkStates } from './states.ts'

test('axe finds nothing in any state of any screen, in both themes', async () => {
  const browser = await openBrowser()
  const found: string[] = []
  const seen = new Set<string>()
  try {
    await walkStates(browser, await mkdtemp(join(tmpdir(), 'cald-states-')), async (name, page) => {
      seen.add(name)
      for (const theme of ['light', 'dark'] as const) {
        await setTheme(page, theme)
        await page.waitForTimeout(200)
        found.push(...(await violations(page)).map((violation) => `${name}, ${theme}: ${violation}`))
        // Nothing stands out of the window at the smallest size.
        if (await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth || document.getElementById("main").scrollWidth > document.getElementById("main").clientWidth')) found.push(`${name}, ${theme}: wider than the window`)
      }
    })
  } finally {
    await browser.close()
  }
  expect(found).toEqual([])
  expect(seen.size).toBeGreaterThan(60)
}, 900_000)
