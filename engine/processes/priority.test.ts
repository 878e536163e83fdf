import { fork } from 'node:child_process'
import { getPriority } from 'node:os'
import { expect, it } from 'vitest'
import { lowPriority } from './priority.ts'

it.skipIf(process.platform !== 'linux')('puts every thread of a process behind others: those that it had, and those that come', async () => {
  const child = fork(new URL('./testing/yielding.ts', import.meta.url), { execArgv: ['--import', 'tsx'] })
  const { before, after } = await new Promise<Record<'before' | 'after', number[]>>((resolve, reject) => {
    child.once('message', (told) => resolve(told as never))
    child.once('exit', (code) => reject(new Error(`expected a message, found exit code ${String(code)}`)))
  })
  expect(before.length).toBeGreaterThan(4)
  expect(new Set(before)).toEqual(new Set([getPriority()]))
  expect(after.length).toBeGreaterThan(before.length)
  expect(new Set(after)).toEqual(new Set([Math.max(lowPriority, getPriority())]))
})
