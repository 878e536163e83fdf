import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { messageOf, reasonOf, UsageError } from './errors.ts'

it('says of a file what is wrong with it, without its name, and of everything else the whole', async () => {
  const missing: unknown = await readFile('/nowhere, really/a').catch((error: unknown) => error)
  expect(reasonOf(missing)).toBe('no such file or directory')
  expect(messageOf(missing)).toBe("ENOENT: no such file or directory, open '/nowhere, really/a'")
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { syscall: 'write' })
  expect(reasonOf(full)).toBe('no space left on device')
  const taken = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:80'), { syscall: 'listen' })
  expect(reasonOf(taken)).toBe(taken.message)
  expect(reasonOf(new UsageError('EACH: of them, here'))).toBe('EACH: of them, here')
  expect(reasonOf('text')).toBe('text')
})
