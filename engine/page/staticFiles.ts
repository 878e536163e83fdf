import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { MissingFileError } from '../errors.ts'

const types: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.json': 'application/json; charset=utf-8', '.woff2': 'font/woff2' }

export interface StaticFile {
  readonly type: string
  readonly bytes: Uint8Array
}

/** The built renderer by address; only what was there at the start can be asked for, so no address leads anywhere else. */
export const readStaticFiles = async (folder: string): Promise<ReadonlyMap<string, StaticFile>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = new Map<string, StaticFile>()
  for (const entry of entries) {
    const type = types[extname(entry.name)]
    if (!entry.isFile() || type === undefined) continue
    const path = join(entry.parentPath, entry.name)
    files.set(`/${relative(folder, path).split(sep).join('/')}`, { type, bytes: await readFile(path) })
  }
  const index = files.get('/index.html')
  if (index === undefined) throw new MissingFileError(`${folder}: expected the built app, found none (npm run build makes it)`)
  return files.set('/', index)
}
