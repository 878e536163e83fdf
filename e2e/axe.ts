import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds wrong with a page as it stands, in words: rule, impact, and the first element. */
export const violations = async (page: Page): Promise<string[]> => {
  await page.evaluate(await source)
  // Preloading would copy style sheets into inline styles, which the page's policy forbids.
  const found = await page.evaluate<{ id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[]>('axe.run(document, { resultTypes: ["violations"], preload: false }).then(({ violations }) => violations)')
  return found.map(({ id, impact, nodes }) => `${id} (${impact}), ${nodes.length} elements: ${nodes[0]!.html.slice(0, 160)} ${nodes[0]!.failureSummary}`)
}

/** Both themes, by the app's own preference. */
export const setTheme = (page: Page, theme: 'light' | 'dark'): Promise<void> =>
  page
    .emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    .then(() => page.locator(`html[data-theme="${theme}"]`).waitFor({ state: 'attached' }))
