import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MissingFileError, reasonOf } from '../errors.ts'
import { writeFileAtomic } from './atomic.ts'
import { sha256Of } from './sha256.ts'

/** The model card of a folder, where the hub looks for it. */
export const cardOf = (folder: string): string => join(folder, 'README.md')

const signature = /\n<!-- written by cald; once edited it is yours and stays as it is: ([0-9a-f]{64}) -->\n$/

/** A card with a last line that tells whether somebody changed it since. */
export const signed = (card: string): string =>
  `${card}\n<!-- written by cald; once edited it is yours and stays as it is: ${sha256Of(new TextEncoder().encode(card))} -->\n`

const isUntouched = (text: string): boolean => {
  const found = signature.exec(text)
  return found !== null && sha256Of(new TextEncoder().encode(text.slice(0, found.index))) === found[1]
}

/** Text of a file, undefined when there is none. */
const textOf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw new MissingFileError(`${path}: expected a readable file, found ${reasonOf(error)}`)
  }
}

/** The card at a path if a person wrote or edited it. */
export const personsCard = async (path: string): Promise<string | undefined> => {
  const text = await textOf(path)
  return text === undefined || isUntouched(text) ? undefined : text
}

/** Writes a card unless a person's stands there; says whether it did. */
export const writeCard = async (path: string, card: string): Promise<boolean> => {
  if ((await personsCard(path)) !== undefined) return false
  await writeFileAtomic(path, signed(card))
  return true
}

/** `license` in the front matter of a folder's card (the hub's key), or of nothing. */
export const statedLicence = async (folder: string): Promise<string | undefined> => {
  const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---/.exec((await textOf(cardOf(folder))) ?? '')?.[1]
  return frontMatter === undefined ? undefined : /^license:\s*["']?([^"'\s#]+)/m.exec(frontMatter)?.[1]
}
