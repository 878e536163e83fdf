import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { FolderListing } from '../contract/index.ts'
import { isCorpusFolder } from '../datasets/index.ts'
import { MissingFileError, reasonOf } from '../errors.ts'

/** What there is to import in a folder: models, corpora, manifests, recordings, and folders to go into. */
export const listFolder = async (path = homedir()): Promise<FolderListing> => {
  const folder = resolve(path)
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new MissingFileError(`${folder}: expected a folder, found ${reasonOf(error)}`)
  })
  const seen = entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => a.name.localeCompare(b.name))
  const listed = await Promise.all(
    seen.map(async (entry) => {
      const full = join(folder, entry.name)
      if (entry.isDirectory()) return { name: entry.name, path: full, kind: await kindOf(full) }
      if (/\.(jsonl|csv|tsv)$/i.test(entry.name)) return { name: entry.name, path: full, kind: 'data' as const }
      return /\.wav$/i.test(entry.name) ? { name: entry.name, path: full, kind: 'recording' as const } : undefined
    }),
  )
  const parent = dirname(folder)
  return { path: folder, parent: parent === folder ? null : parent, entries: listed.filter((one) => one !== undefined) }
}

const kindOf = async (folder: string): Promise<'folder' | 'model' | 'data'> => {
  const names = await readdir(folder).catch((): string[] => [])
  if (names.includes('config.json') && names.includes('model.safetensors')) return 'model'
  return isCorpusFolder(names) ? 'data' : 'folder'
}
