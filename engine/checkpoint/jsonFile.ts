import { readFile, stat } from 'node:fs/promises'
import { ConfigError, messageOf, MissingFileError, reasonOf } from '../errors.ts'
import { parseStrictJson } from './strictJson.ts'

const longestFile = 2 ** 23
const bounds = { depth: 32, values: 500_000 }

const isAbsent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** JSON of a file of this product; undefined when there is none. ConfigError when it is not JSON. */
export const readJson = async (path: string): Promise<unknown> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw new MissingFileError(`${path}: expected a readable file, found ${reasonOf(error)}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigError(`${path}: expected JSON, found ${messageOf(error)}`)
  }
}

/** JSON of a file that came with a model; undefined when there is none. ConfigError when it is not JSON, too long, too deep, or has a key twice. */
export const readStrictJson = async (path: string): Promise<unknown> => {
  const kind = await stat(path).catch((error: unknown) => {
    if (isAbsent(error)) return undefined
    throw new MissingFileError(`${path}: expected a readable file, found ${reasonOf(error)}`)
  })
  if (kind === undefined) return undefined
  if (!kind.isFile()) throw new MissingFileError(`${path}: expected a file, found something else`)
  if (kind.size > longestFile) throw new ConfigError(`${path}: expected at most ${longestFile} bytes, found ${kind.size}`)
  try {
    return parseStrictJson(await readFile(path, 'utf8'), bounds)
  } catch (error) {
    throw new ConfigError(`${path}: expected JSON, found ${messageOf(error)}`)
  }
}
