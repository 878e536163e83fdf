import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openTensors, stampOf, type TensorSource } from '../checkpoint/index.ts'
import { CheckpointError } from '../errors.ts'
import type { FilePart } from '../runtime/index.ts'
import { initialise } from './initialise.ts'
import type { ParameterPlace } from './layout.ts'

/** A parameter, and the name under which a checkpoint holds it. */
export interface StoredPlace {
  readonly place: ParameterPlace
  readonly stored: string
}

/** Matrices from this size on are left in their files; what is smaller, or no matrix, is read, since only products lay out what they take and let the file go. */
const leastBytes = 2 ** 16

/** Parameters of an opened checkpoint that stay in its files, which nobody may change as long as they are wanted. */
export class StoredParameters {
  /** Of the checkpoint, to open it again. */
  readonly #path: string
  readonly #names: ReadonlyMap<string, string>
  /** By the names of parameters: matrices that the runtime may read by itself. */
  readonly parts: ReadonlyMap<string, FilePart>
  /** What each file was when it was opened. */
  readonly #stamps: ReadonlyMap<string, string>

  private constructor(path: string, names: ReadonlyMap<string, string>, parts: ReadonlyMap<string, FilePart>, stamps: ReadonlyMap<string, string>) {
    this.#path = path
    this.#names = names
    this.parts = parts
    this.#stamps = stamps
  }

  /** Of an open checkpoint; undefined when one of its matrices does not stand in a file as float32, or they are in several folders. */
  static async of(found: readonly StoredPlace[], tensors: TensorSource): Promise<StoredParameters | undefined> {
    const parts = new Map<string, FilePart>()
    // ONNX Runtime takes files of one folder only, and none that a link leads out of it.
    const paths = new Map<string, string>()
    for (const { place, stored } of found) {
      if (place.shape.length !== 2 || 4 * place.size < leastBytes) continue
      const part = tensors.filePart(stored)
      if (part === undefined) return undefined
      const path = paths.get(part.path) ?? (await realpath(part.path))
      paths.set(part.path, path)
      parts.set(place.name, { ...part, path })
    }
    if (new Set([...parts.values()].map(({ path }) => dirname(path))).size > 1) return undefined
    return new StoredParameters(tensors.path, new Map(found.map(({ place, stored }) => [place.name, stored])), parts, tensors.stamps)
  }

  /** Values of parameters, one after the other; what the checkpoint lacks at its initial value. CheckpointError when it was changed since it was opened. */
  async *read(places: readonly ParameterPlace[]): AsyncGenerator<readonly [ParameterPlace, Float32Array]> {
    await this.requireUnchanged()
    const tensors = await openTensors(this.#path)
    try {
      for (const place of places) {
        const values = new Float32Array(place.size)
        const stored = this.#names.get(place.name)
        const alone = { ...place, offset: 0 }
        if (stored === undefined) initialise(values, { places: [alone], size: place.size, stage: () => [alone] }, [alone], 0)
        else await tensors.readInto(stored, values)
        yield [place, values]
      }
      await this.requireUnchanged()
    } finally {
      await tensors.close()
    }
  }

  /** CheckpointError when a file is not the one that was opened. */
  async requireUnchanged(): Promise<void> {
    for (const [path, stamp] of this.#stamps) {
      if ((await stampOf(path)) !== stamp) throw new CheckpointError(`${path}: expected the weights that were opened, found other ones: the file was changed meanwhile, start again`)
    }
  }
}
