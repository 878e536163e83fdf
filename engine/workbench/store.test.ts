import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { DataEntry } from '../contract/index.ts'
import { WriteError } from '../errors.ts'
import { Store } from './store.ts'

const entry = (id: string): DataEntry => ({ id, name: id, path: `/${id}`, addedAt: '2026-01-01T00:00:00.000Z', removed: false, facts: { utterances: 1, seconds: 1, speakers: 0, histogram: [], warnings: [] } })

it('takes back an entry that cannot be saved, keeps what has happened, and saves both once it can', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-store-'))
  const path = join(folder, 'library.json')
  const store = await Store.open(folder)
  await store.put('data', entry('first'))
  const kept = await readFile(path, 'utf8')
  // No file can take the place of a folder that holds something.
  await rm(path)
  await mkdir(path)
  await writeFile(join(path, 'in the way'), '')
  await expect(store.put('data', entry('second'))).rejects.toThrow(WriteError)
  await expect(store.put('data', { ...entry('first'), name: 'replaced' })).rejects.toThrow(WriteError)
  expect(store.library.data).toEqual([entry('first')])
  await expect(store.setRemoved('data', 'first', true)).rejects.toThrow(WriteError)
  expect(store.library.data).toEqual([entry('first')])
  await expect(store.edit('data', 'first', { name: 'renamed' })).rejects.toThrow(WriteError)
  expect(store.library.data).toEqual([{ ...entry('first'), name: 'renamed' }])
  await rm(path, { recursive: true })
  await writeFile(path, kept)
  await store.put('data', entry('second'))
  expect((JSON.parse(await readFile(path, 'utf8')) as { data: unknown }).data).toEqual([{ ...entry('first'), name: 'renamed' }, entry('second')])
  await store.settled()
})
