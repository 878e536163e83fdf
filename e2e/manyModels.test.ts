import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import { keepOnFailure } from './keeping.ts'
import { openStudio, type Studio } from './studio.ts'

/** A library of many models, of which the page holds those about the part in sight. */
const many = 300
let studio: Studio
let page: Page

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-many-'))
  const first = await openStudio(folder, { width: 1280, height: 800 })
  const { library, store } = first
  await first.close()
  const known = await library()
  const models = Array.from({ length: many }, (_, i) => ({ ...known.models[0]!, id: `many-${i}`, name: `Model ${i}`, origin: 'imported' }))
  await writeFileAtomic(join(store, 'library.json'), JSON.stringify({ ...known, models: [...known.models, ...models] }))
  studio = await openStudio(folder, { width: 1280, height: 800 })
  page = studio.page
  await page.evaluate(`void (location.hash = '/models')`)
  await page.locator('a.model').first().waitFor()
}, 120_000)
afterAll(() => studio.close())
keepOnFailure(() => page)

const frames = (): Promise<unknown> => page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
const scrollTo = async (share: number): Promise<void> => {
  await page.evaluate(`(() => { const main = document.querySelector('main'); main.scrollTop = ${share} * (main.scrollHeight - main.clientHeight) })()`)
  await frames()
}
/** Names of the cards that stand in sight, row by row, and how many rows and columns they make. */
const inSight = (): Promise<{ names: string[]; rows: number; columns: number; there: number }> =>
  page.evaluate(`(() => {
    const sight = document.querySelector('main').getBoundingClientRect()
    const cards = [...document.querySelectorAll('a.model')]
    const seen = cards.map((card) => ({ name: card.querySelector('h2').innerText, box: card.getBoundingClientRect() })).filter(({ box }) => box.bottom > sight.top && box.top < sight.bottom)
    const count = (of) => new Set(seen.map(({ box }) => Math.round(of(box)))).size
    return { names: seen.map(({ name }) => name), rows: count((box) => box.top), columns: count((box) => box.left), there: cards.length }
  })()`)

test('wherever one scrolls, the cards in sight are there, one after the other', async () => {
  for (const width of [1280, 1024, 1111]) {
    await page.setViewportSize({ width, height: 800 })
    for (const share of [0, 0.31, 0.74, 1]) {
      await scrollTo(share)
      const { names, rows, columns, there } = await inSight()
      expect(there).toBeLessThan(60)
      expect(rows).toBeGreaterThanOrEqual(2)
      const last = share === 1 ? (many + 2) % columns || columns : columns
      expect(names).toHaveLength((rows - 1) * columns + last)
      const numbers = names.flatMap((name) => /^Model (\d+)$/.exec(name)?.[1] ?? []).map(Number)
      expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i))
      if (share === 1) expect(numbers.at(-1)).toBe(many - 1)
    }
  }
})

test('what is searched for far down stands in sight', async () => {
  await scrollTo(1)
  await page.getByRole('searchbox', { name: 'Search models' }).fill('model 29')
  await frames()
  expect((await inSight()).names.sort()).toEqual(['Model 29', ...Array.from({ length: 10 }, (_, i) => `Model ${290 + i}`)].sort())
  await page.getByRole('searchbox', { name: 'Search models' }).fill('')
})

test('a card that has the focus leaves it to the page when it is scrolled away', async () => {
  await scrollTo(0)
  await page.getByRole('link', { name: /^Model 3 / }).focus()
  await scrollTo(0.5)
  expect(await page.evaluate('document.activeElement.id')).toBe('main')
  const before = await page.evaluate<number>(`document.querySelector('main').scrollTop`)
  await page.keyboard.press('PageDown')
  await expect.poll(() => page.evaluate(`document.querySelector('main').scrollTop`)).toBeGreaterThan(before)
})
