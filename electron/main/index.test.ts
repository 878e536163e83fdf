import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as electron from 'electron'
import { expect, it } from 'vitest'
import type * as Fake from '../testing/electron.ts'

const { app, protocol } = electron as unknown as typeof Fake

it('turns the sandbox on for every process, gives app: no more rights than it needs, and lets a second instance go', async () => {
  app.first = false
  await import('./index.ts')
  expect(app.sandboxed).toBe(true)
  expect(protocol.schemes).toEqual([{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } }])
  expect(app.quits).toBe(1)
})

it('opens no address in any other program, and runs no command', async () => {
  const root = join(import.meta.dirname, '..')
  const sources = (await readdir(root, { recursive: true })).filter((name) => /^(main|preload|engine-host)\/.*\.ts$/.test(name) && !name.endsWith('.test.ts'))
  expect(sources.length).toBeGreaterThan(8)
  for (const name of sources) expect(await readFile(join(root, name), 'utf8'), name).not.toMatch(/openExternal|openPath|child_process|executeJavaScript|eval\(/)
})
