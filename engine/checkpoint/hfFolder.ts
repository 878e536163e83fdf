import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, messageOf, MissingFileError } from '../errors.ts'
import { writeFileAtomic, writeFolderAtomic } from './atomic.ts'
import { cardOf, personsCard, signed } from './card.ts'
import { openSafetensors, writeSafetensors, type NamedTensor, type TensorFile } from './safetensors.ts'

const files = { config: 'config.json', preprocessor: 'preprocessor_config.json', vocabulary: 'vocab.json', tokenizer: 'tokenizer_config.json' } as const
const weightsFile = 'model.safetensors'

/** An HF model folder that was opened; its tensors are read on demand, and whoever opened it closes them. */
export interface ModelFolder {
  readonly path: string
  readonly config: unknown
  readonly preprocessor: unknown
  readonly vocabulary: unknown
  readonly tokenizer: unknown
  readonly tensors: TensorFile
}

/** JSON of a file; undefined when there is none. ConfigError when it is not JSON. */
export const readJson = async (path: string): Promise<unknown> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MissingFileError(`${path}: expected a readable file, found ${messageOf(error)}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigError(`${path}: expected JSON, found ${messageOf(error)}`)
  }
}

/** Opens a folder with config.json and model.safetensors; preprocessor, vocabulary and tokenizer files may be missing (undefined). */
export const openModelFolder = async (path: string): Promise<ModelFolder> => {
  const entries = await readdir(path).catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a model folder, found ${messageOf(error)}`)
  })
  for (const needed of [files.config, weightsFile]) {
    if (!entries.includes(needed)) throw new MissingFileError(`${path}: expected ${needed} in the model folder, found ${entries.length === 0 ? 'nothing' : entries.sort().slice(0, 6).join(', ')}`)
  }
  const [config, preprocessor, vocabulary, tokenizer] = await Promise.all(Object.values(files).map((name) => readJson(join(path, name))))
  return { path, config, preprocessor, vocabulary, tokenizer, tensors: await openSafetensors(join(path, weightsFile)) }
}

export interface ModelFolderContents {
  readonly config: unknown
  readonly preprocessor: unknown
  readonly vocabulary: unknown
  readonly tokenizer: unknown
  readonly tensors: Iterable<NamedTensor>
  readonly metadata?: Readonly<Record<string, string>>
  /** Float type of the weights. */
  readonly precision: 'float32' | 'float16'
  /** The text of the model card, given the SHA-256 of the weights. */
  readonly card: (weightsSha256: string) => string
}

/** Writes a model folder, complete or not at all. A card that a person wrote into the folder that is replaced stays. */
export const saveModelFolder = (path: string, contents: ModelFolderContents, { replace = false } = {}): Promise<void> =>
  writeFolderAtomic(
    path,
    async (temporary) => {
      for (const [key, name] of Object.entries(files)) {
        const value = contents[key as keyof typeof files]
        if (value !== undefined) await writeFileAtomic(join(temporary, name), `${JSON.stringify(value, null, 2)}\n`)
      }
      const { tensors, metadata = {}, precision, card } = contents
      const hash = createHash('sha256')
      await writeSafetensors(join(temporary, weightsFile), tensors, { metadata, precision, hash })
      const kept = await personsCard(cardOf(path))
      await writeFileAtomic(cardOf(temporary), kept ?? signed(card(hash.digest('hex'))))
    },
    { replace },
  )
