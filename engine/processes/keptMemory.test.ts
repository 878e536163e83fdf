import { readFile } from 'node:fs/promises'
import { expect, it, vi } from 'vitest'
import { keptMemory, launch } from './index.ts'

it('is what the command starts with', async () => {
  const [first] = (await readFile('engine/cli/main.ts', 'utf8')).split('\n')
  expect(first).toBe(`#!/usr/bin/env -S ${Object.entries(keptMemory).map(([name, value]) => `${name}=${value}`).join(' ')} node`)
  // Linux before 5.1 cuts the line there, without a word.
  expect(first!.length).toBeLessThanOrEqual(127)
})

it('is what a process has that keeps its memory, and no other, though this one has it', async () => {
  const told = (keepsMemory: boolean): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const child = launch(new URL('./testing/environment', import.meta.url), {
        keepsMemory,
        onMessage: (message) => {
          resolve(message)
          child.kill()
        },
        onEnd: (how) => reject(new Error(how)),
      })
    })
  vi.stubEnv('MALLOC_ARENA_MAX', '1')
  vi.stubEnv('GLIBC_TUNABLES', 'glibc.malloc.check=0')
  expect(await told(true)).toEqual(keptMemory)
  // Of what a user said otherwise nothing is taken away.
  expect(await told(false)).toEqual({ GLIBC_TUNABLES: 'glibc.malloc.check=0' })
})
