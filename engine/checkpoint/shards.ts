import { dirname, join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.ts'
import { readStrictJson } from './jsonFile.ts'
import type { StoredType, TensorSource } from './tensorSource.ts'

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })
const mostShards = 1000

/** The shards that an index file (`*.index.json`) names, each once, as paths beside it. CheckpointError for a name that leaves the folder. */
export const shardsOf = async (index: string): Promise<{ readonly paths: readonly string[]; readonly shardOf: ReadonlyMap<string, string> }> => {
  const parsed = indexSchema.safeParse(await readStrictJson(index))
  if (!parsed.success) throw new CheckpointError(`${index}: expected weight_map, an object of tensor: file, found something else`)
  const shardOf = new Map<string, string>()
  for (const [name, file] of Object.entries(parsed.data.weight_map)) {
    if (!/^[\w-][\w.-]{0,199}$/.test(file)) throw new CheckpointError(`${index}: tensor ${name.slice(0, 100)}: expected the name of a file in the same folder, found ${JSON.stringify(file).slice(0, 100)}`)
    shardOf.set(name, join(dirname(index), file))
  }
  const paths = [...new Set(shardOf.values())].sort()
  if (paths.length > mostShards) throw new CheckpointError(`${index}: expected at most ${mostShards} shards, found ${paths.length}`)
  return { paths, shardOf }
}

/** Opens all shards of an index as one source. Index and shards must name the same tensors: CheckpointError says which one differs. */
export const openShards = async (index: string, openShard: (path: string) => Promise<TensorSource>): Promise<TensorSource> => {
  const { paths, shardOf } = await shardsOf(index)
  const shards = new Map<string, TensorSource>()
  const present = new Set<string>()
  const close = async (): Promise<void> => {
    await Promise.all([...shards.values()].map((shard) => shard.close()))
  }
  const shardWith = (name: string): TensorSource => {
    const path = shardOf.get(name)
    if (path === undefined) throw new CheckpointError(`${index}: expected tensor ${name}, found none`)
    return shards.get(path)!
  }
  try {
    for (const path of paths) {
      const shard = await openShard(path)
      shards.set(path, shard)
      for (const name of shard.names()) {
        if (shardOf.get(name) !== path) throw new CheckpointError(`${path}: expected only tensors that ${index} places there, found ${name}`)
        present.add(name)
      }
    }
    for (const [name, path] of shardOf) if (!present.has(name)) throw new CheckpointError(`${path}: expected tensor ${name}, which ${index} places there, found none`)
  } catch (error) {
    await close()
    throw error
  }
  return {
    path: index,
    names: () => [...shardOf.keys()],
    dtype: (name): StoredType => shardWith(name).dtype(name),
    shape: (name) => shardWith(name).shape(name),
    readInto: (name, target) => shardWith(name).readInto(name, target),
    filePart: (name) => shardWith(name).filePart(name),
    stamps: new Map([...shards.values()].flatMap((shard) => [...shard.stamps])),
    close,
  }
}
