import { readFixture, type FixtureTensor } from '../../../fixtures/read.ts'
import { readSafetensors } from '../safetensors.ts'
import { elementsOf, readTensor, type TensorSource } from '../tensorSource.ts'
import { readTorch } from '../torch.ts'
import { readZipDirectory } from '../zip.ts'
import { torchOf } from './build.ts'
import { memorySource } from './memory.ts'

/** A valid file to start mutations from, and where the part that readers interpret lies. */
export interface Subject {
  readonly name: string
  readonly kind: 'safetensors' | 'pickle' | 'zip'
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly hot: readonly [number, number]
  /** A whole file of mutated bytes. */
  readonly file: (mutated: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>
}

const same = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => bytes

/** The files of the layout fixtures: what transformers and torch really write. */
export const subjects = async (): Promise<Subject[]> => {
  const cases = readFixture<{ name: string; files: Record<string, FixtureTensor<Uint8Array<ArrayBuffer>>> }>('model_layouts')
  const found: Subject[] = []
  for (const { name, files } of cases) {
    for (const [file, { data: bytes }] of Object.entries(files)) {
      if (file.endsWith('.safetensors')) {
        const header = Number(new DataView(bytes.buffer).getBigUint64(0, true))
        found.push({ name: `${name}: ${file}`, kind: 'safetensors', bytes, hot: [0, 8 + header], file: same })
      } else if (bytes[0] === 0x50 && bytes[1] === 0x4b) found.push(...(await torchSubjects(`${name}: ${file}`, bytes)))
    }
  }
  return found
}

/** An archive as a zip directory, and its pickle alone. */
const torchSubjects = async (name: string, bytes: Uint8Array<ArrayBuffer>): Promise<Subject[]> => {
  const source = memorySource(bytes)
  const directory = await readZipDirectory(source)
  const member = async (wanted: string): Promise<Uint8Array<ArrayBuffer>> => {
    const { offset, size } = await directory.locate(wanted)
    return bytes.slice(offset, offset + size)
  }
  const pickle = directory.names.find((entry) => entry.endsWith('/data.pkl'))!
  const root = pickle.slice(0, -'data.pkl'.length)
  const storages: Record<string, Uint8Array> = {}
  for (const entry of directory.names) if (entry.startsWith(`${root}data/`)) storages[entry.slice(`${root}data/`.length)] = await member(entry)
  const data = await member(pickle)
  const directorySize = directory.names.reduce((total, entry) => total + 46 + entry.length, 98)
  return [
    { name, kind: 'zip', bytes, hot: [bytes.length - directorySize, bytes.length], file: same },
    { name: `${name}: data.pkl`, kind: 'pickle', bytes: data, hot: [0, data.length], file: (mutated) => torchOf(mutated, storages) },
  ]
}

/** Tensors larger than this are described only: what a model asks for is bounded by its configuration. */
const mostElements = 2 ** 20

/** Opens a file and reads what it says it holds; the number of tensors. */
export const readWhole = async (kind: Subject['kind'], bytes: Uint8Array): Promise<number> => {
  const source = memorySource(bytes)
  const tensors: TensorSource = await (kind === 'safetensors' ? readSafetensors(source) : readTorch(source))
  const names = tensors.names()
  for (const name of names) if (tensors.dtype(name).includes('F') && elementsOf(tensors.shape(name)) <= mostElements) await readTensor(tensors, name)
  return names.length
}
