import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterEach, beforeEach, type RunnerTestCase } from 'vitest'

const folder = join(import.meta.dirname, '..', 'coverage', 'e2e')
const nameOf = ({ name, file }: RunnerTestCase): string => `${file.name.replace(/^.*\/|\.test\.ts$/g, '')}-${name}`.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 80)

/** Keeps what it takes to see why something went wrong: a picture of the page, and a trace of all that was done and shown (`npx playwright-core show-trace FILE`). */
const keep = async (page: Page, name: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) }).catch(() => undefined)
  await page.context().tracing.stopChunk({ path: join(folder, `${name}.zip`) })
}

/** Begins to trace a page with its opening, and keeps that trace when it fails. */
export const traced = async (page: Page, opening: () => Promise<void>): Promise<void> => {
  const { tracing } = page.context()
  await tracing.start({ screenshots: true, snapshots: true })
  try {
    await opening()
    await tracing.stopChunk()
  } catch (error) {
    await keep(page, 'opening')
    throw error
  }
}

/** Keeps, under coverage/e2e, a picture and a trace of each test of this file that fails; of the others nothing stays. The page is one that is traced. */
export const keepOnFailure = (page: () => Page): void => {
  beforeEach(({ task }) => page().context().tracing.startChunk({ title: task.name }))
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await keep(page(), nameOf(task))
    else await page().context().tracing.stopChunk()
  })
}
