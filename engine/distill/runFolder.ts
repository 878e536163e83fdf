import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Figures } from '../contract/index.ts'
import { openSafetensors, readJson, sha256Of, writeFileAtomic, writeFolderAtomic, writeSafetensors } from '../checkpoint/index.ts'
import { CheckpointError, MissingFileError, UsageError } from '../errors.ts'

/** Everything an update changes. Random numbers and data order follow from the seed in run.json and the number of updates. */
export interface TrainingState {
  /** Updates done. */
  update: number
  readonly parameters: Float32Array
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
  /** Their exponential average, where one is kept. */
  readonly averaged: Float32Array | undefined
  /** Of a run in float16: its loss scale. */
  readonly lossScale: Float32Array | undefined
  /** What a way of guiding changes besides, by name. */
  readonly guide: Readonly<Record<string, Float32Array>>
  best: ({ readonly update: number } & Figures) | undefined
  /** Updates that were not finite and changed nothing. */
  skipped: number
}

interface Progress {
  readonly update: number
  readonly best: TrainingState['best'] | null
  readonly skipped: number
  /** Length of metrics.jsonl at this update. */
  readonly metricsBytes: number
  /** SHA-256 of parameters, first and second moments, and the guide's vectors, laid end to end. */
  readonly sha256: string
}

const folderName = (update: number): string => `update-${String(update).padStart(8, '0')}`
/** Every vector of a state, under the name it has in a checkpoint. */
const vectorsOf = ({ parameters, firstMoment, secondMoment, averaged, lossScale, guide }: TrainingState): Record<string, Float32Array> => ({
  ...{ parameters, firstMoment, secondMoment },
  ...(averaged === undefined ? {} : { averaged }),
  ...(lossScale === undefined ? {} : { lossScale }),
  ...guide,
})

/** SHA-256 of the weights and moments, the learning teacher's among them; equal for equal runs. */
export const stateHash = (state: TrainingState): string => sha256Of(...Object.values(vectorsOf(state)))

/** Writes a checkpoint (complete or absent) and removes all but the newest `keep`. */
export const saveCheckpoint = async (out: string, state: TrainingState, metricsBytes: number, keep: number): Promise<string> => {
  const folder = join(out, 'checkpoints', folderName(state.update))
  await writeFolderAtomic(
    folder,
    async (temporary) => {
      await writeSafetensors(join(temporary, 'state.safetensors'), Object.entries(vectorsOf(state)).map(([name, data]) => ({ name, shape: [data.length], data })))
      const progress: Progress = { update: state.update, best: state.best ?? null, skipped: state.skipped, metricsBytes, sha256: stateHash(state) }
      await writeFileAtomic(join(temporary, 'progress.json'), `${JSON.stringify(progress, null, 2)}\n`)
    },
    { replace: true },
  )
  for (const old of (await checkpointsOf(out)).slice(0, -keep)) await rm(join(out, 'checkpoints', old), { recursive: true })
  return folder
}

/** Names of the complete checkpoints, oldest first. */
const checkpointsOf = async (out: string): Promise<string[]> => {
  try {
    return (await readdir(join(out, 'checkpoints'))).filter((name) => /^update-\d{8}$/.test(name)).sort()
  } catch {
    return []
  }
}

/** Which checkpoint a run goes on from: none, the newest, or that of an update. */
export type Resume = boolean | number

/**
 * Loads the newest checkpoint if there is one, or that of an update, into `state`, and forgets those behind it. A damaged one is refused by name, and the
 * one before it offered (CheckpointError). Returns the length of metrics.jsonl then.
 */
export const loadCheckpoint = async (out: string, state: TrainingState, from: Exclude<Resume, false>): Promise<number> => {
  const all = await checkpointsOf(out)
  const wanted = from === true ? all.at(-1) : all.find((name) => name === folderName(from))
  // A run that was stopped before its first checkpoint begins again.
  if (wanted === undefined && from === true) return 0
  if (wanted === undefined) {
    throw new UsageError(`--resume: expected the checkpoint ${folderName(from as number)} under ${join(out, 'checkpoints')}, found ${all.join(', ') || 'none'}`)
  }
  const position = all.indexOf(wanted)
  const folder = join(out, 'checkpoints', wanted)
  const progress = await readState(folder, state).catch((error: unknown): never => {
    if (!(error instanceof CheckpointError || error instanceof MissingFileError)) throw error
    const before = all[position - 1]
    const offer = before === undefined ? 'there is none before it' : `--resume ${updateOf(before)} goes on from the one before it`
    throw new CheckpointError(`${error.message}; ${offer}`)
  })
  for (const later of all.slice(position + 1)) await rm(join(out, 'checkpoints', later), { recursive: true })
  return progress.metricsBytes
}

const updateOf = (name: string): number => Number(name.slice('update-'.length))

/** Reads a checkpoint into `state`; CheckpointError when its contents are not what was written. */
const readState = async (folder: string, state: TrainingState): Promise<Progress> => {
  const progress = (await readJson(join(folder, 'progress.json'))) as Partial<Progress> | undefined
  if (typeof progress?.sha256 !== 'string') throw new CheckpointError(`${folder}: expected a progress.json with the SHA-256 of the state, found ${progress === undefined ? 'none' : 'another'}`)
  const { update, best, skipped, metricsBytes, sha256 } = progress as Progress
  const file = await openSafetensors(join(folder, 'state.safetensors'))
  try {
    for (const [name, vector] of Object.entries(vectorsOf(state))) {
      if (file.shape(name)[0] !== vector.length) {
        throw new CheckpointError(`${folder}: ${name}: expected ${vector.length} values for this model, found ${file.shape(name)[0]}`)
      }
      await file.readInto(name, vector)
    }
  } finally {
    await file.close()
  }
  Object.assign(state, { update, best: best ?? undefined, skipped })
  const found = stateHash(state)
  if (found !== sha256) throw new CheckpointError(`${folder}: expected contents of SHA-256 ${sha256}, found ${found}`)
  return { update, best, skipped, metricsBytes, sha256 }
}

/** Where the models lay that a run started from and learned from, as seen from its folder. A folder that was moved goes on: the hashes beside the paths say that they are the same. */
const movable: ReadonlySet<string> = new Set(['lineage.teacher', 'lineage.source'])

const shown = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value))

/** The first value in which what run.json recorded differs from what a resumed run would record, both as JSON. */
export const difference = (then: unknown, now: unknown, path: string): { path: string; then: string; now: string } | undefined => {
  const isTree = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
  if (movable.has(path)) return undefined
  if (!isTree(then) || !isTree(now) || Array.isArray(then) !== Array.isArray(now)) return then === now ? undefined : { path, then: shown(then), now: shown(now) }
  for (const name of new Set([...Object.keys(then), ...Object.keys(now)])) {
    const found = difference(then[name], now[name], `${path}.${name}`)
    if (found !== undefined) return found
  }
  return undefined
}
