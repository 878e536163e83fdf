import { resolve, sep } from 'node:path'
import { pickedPaths, type AppRequest } from '../../engine/contract/index.ts'

/** A path that no dialog or drop brought. */
export class NotPickedError extends Error {
  override readonly name = 'NotPickedError'
}

const contains = (folder: string, path: string): boolean => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

/** The paths that a person picked in a dialog or dropped on the window, since the app was started; a page may name these and what lies under them. */
export class PathGrants {
  readonly #picked = new Set<string>()

  add(path: string): void {
    this.#picked.add(resolve(path))
  }

  has(path: string): boolean {
    const full = resolve(path)
    return [...this.#picked].some((picked) => contains(picked, full))
  }

  /** NotPickedError when a request names a path that nobody picked. */
  check(request: string, args: unknown): void {
    if (!pickedPaths.includes(request as AppRequest)) return
    const path = typeof args === 'object' && args !== null && 'path' in args ? args.path : undefined
    if (typeof path === 'string' && this.has(path)) return
    throw new NotPickedError(`${request}: expected a path picked in a dialog or dropped on the window, found ${typeof path === 'string' ? path : 'none'}`)
  }
}
