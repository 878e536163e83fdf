import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { MissingFileError } from '../errors.ts'
import { writeFileAtomic, writeFolderAtomic } from './atomic.ts'
import { cardOf, personsCard, signed } from './card.ts'
import { readStrictJson } from './jsonFile.ts'
import { writeSafetensors, type NamedTensor } from './safetensors.ts'
import type { TensorSource } from './tensorSource.ts'
import { completeVocabulary, preprocessorOf } from './tokenizerFiles.ts'
import { locateWeights, openTensors, weightsFile } from './weights.ts'

const files = { config: 'config.json', preprocessor: 'preprocessor_config.json', vocabulary: 'vocab.json', tokenizer: 'tokenizer_config.json' } as const
/** What the authors of CALD keep beside their checkpoints. */
const hparamsFile = 'hparams.json'

/** A model folder that was opened; its tensors are read on demand, and whoever opened it closes them. */
export interface ModelFolder {
  readonly path: string
  /** config.json; undefined only where there are hparams. */
  readonly config: unknown
  readonly hparams: unknown
  readonly preprocessor: unknown
  /** vocab.json with the tokens that were added to it later. */
  readonly vocabulary: unknown
  readonly tokenizer: unknown
  readonly tensors: TensorSource
}

/**
 * Opens a model folder, or a weights file with the folder's other files beside it. It needs weights in any of the formats of `openTensors`,
 * and config.json (or hparams.json); preprocessor, vocabulary and tokenizer files may be missing (undefined).
 */
export const openModelFolder = async (path: string): Promise<ModelFolder> => {
  const { folder, file } = await locateWeights(path)
  const read = (name: string): Promise<unknown> => readStrictJson(join(folder, name))
  const [config, hparams, tokenizer] = [await read(files.config), await read(hparamsFile), await read(files.tokenizer)]
  if (config === undefined && hparams === undefined) throw new MissingFileError(`${path}: expected config.json (or hparams.json) beside ${file}, found none`)
  const vocabulary = completeVocabulary(await read(files.vocabulary), await read('added_tokens.json'), tokenizer, outputsOf(config ?? hparams), folder)
  const preprocessor = preprocessorOf(await read(files.preprocessor), await read('processor_config.json'), folder)
  return { path: folder, config, hparams, preprocessor, vocabulary, tokenizer, tensors: await openTensors(file) }
}

const outputsSchema = z.union([z.looseObject({ vocab_size: z.number() }), z.looseObject({ asr_vocab_size: z.number() }).transform(({ asr_vocab_size }) => ({ vocab_size: asr_vocab_size }))])

const outputsOf = (config: unknown): number => {
  const parsed = outputsSchema.safeParse(config)
  return parsed.success ? parsed.data.vocab_size : Infinity
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
