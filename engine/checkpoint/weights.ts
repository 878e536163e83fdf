import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CheckpointError, MissingFileError, reasonOf } from '../errors.ts'
import { openBytes } from './bytes.ts'
import { openSafetensors } from './safetensors.ts'
import { addFile } from './sha256.ts'
import { openShards, shardsOf } from './shards.ts'
import type { TensorSource } from './tensorSource.ts'
import { openTorch } from './torch.ts'

/** Weight files of an HF folder, in the order in which they are preferred. */
export const weightsFile = 'model.safetensors'
const namedWeights = [weightsFile, 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json']
/** What other trainers write: the authors' checkpoints by step, or one file of a name of its own. */
const stepPattern = /^model\.ckpt-(\d+)$/
const singlePattern = /\.(safetensors|bin|pt|pth|ckpt)$/
/** Files that a trainer leaves beside the weights. */
const besidePattern = /^(training_args\.bin|optimizer\.|scheduler\.|scaler\.|rng_state|feeder_)/

const isIndex = (path: string): boolean => path.endsWith('.index.json')

/** The folder of a model and its weight file (or the index of its shards): `path` is the folder or the file. MissingFileError says what was looked for. */
export const locateWeights = async (path: string): Promise<{ readonly folder: string; readonly file: string }> => {
  const complain = (expected: string, found: string): never => {
    throw new MissingFileError(`${path}: expected ${expected}, found ${found}`)
  }
  const kind = await stat(path).catch((error: unknown) => complain('a model folder', reasonOf(error)))
  if (!kind.isDirectory()) return { folder: dirname(path), file: path }
  const entries = (await readdir(path)).sort()
  const steps = entries.filter((name) => stepPattern.test(name)).sort((a, b) => Number(stepPattern.exec(b)![1]) - Number(stepPattern.exec(a)![1]))
  const single = entries.filter((name) => singlePattern.test(name) && !besidePattern.test(name))
  const file = namedWeights.find((name) => entries.includes(name)) ?? steps[0] ?? (single.length === 1 ? single[0] : undefined)
  if (file !== undefined) return { folder: path, file: join(path, file) }
  if (single.length > 1) complain('one weights file, or the path of one of several', single.slice(0, 6).join(', '))
  return complain(`${weightsFile} or another weights file in the model folder`, entries.length === 0 ? 'nothing' : entries.slice(0, 6).join(', '))
}

/** Opens a weights file by what it holds: safetensors, a file of torch.save, or the index of several of either. */
export const openTensors = (path: string): Promise<TensorSource> => (isIndex(path) ? openShards(path, openOne) : openOne(path))

const openOne = async (path: string): Promise<TensorSource> => {
  const source = await openBytes(path)
  const start = new Uint8Array(Math.min(4, source.size))
  try {
    await source.read(start, 0)
  } finally {
    await source.close()
  }
  if (start[0] === 0x50 && start[1] === 0x4b) return openTorch(path)
  if (start[0] === 0x80 && start[1]! <= 5) throw new CheckpointError(`${path}: expected safetensors or the zip format of torch.save, found a bare pickle (PyTorch before 1.6): load and save it with a newer one`)
  return openSafetensors(path)
}

/** SHA-256 in hexadecimal of a model's weights: of its file, or of its shards in the order of their names. MissingFileError when there are none. */
export const sha256OfWeights = async (model: string): Promise<string> => {
  const { file } = await locateWeights(model)
  const hash = createHash('sha256')
  for (const path of isIndex(file) ? (await shardsOf(file)).paths : [file]) await addFile(hash, path)
  return hash.digest('hex')
}
