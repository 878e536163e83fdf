import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

/** Electron's binary, where it was fetched; importing its package would fetch it. */
export const findElectron = (): string | undefined => {
  const package_ = join(root, 'node_modules', 'electron')
  const name = join(package_, 'path.txt')
  const folder = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(package_, 'dist')
  const binary = join(folder, existsSync(name) ? readFileSync(name, 'utf8') : 'electron')
  return existsSync(binary) ? binary : undefined
}
