import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openSafetensors, sha256Of, writeFileAtomic, writeFolderAtomic, writeSafetensors } from '../checkpoint/index.ts'
import { CheckpointError, UsageError } from '../errors.ts'

/** Everything an update changes. Random numbers and data order follow from the seed in run.json and the number of updates. */
export interface TrainingState {
  /** Updates done. */
  update: number
  readonly parameters: Float32Array
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
  /** What a way of guiding changes besides, by name. */
  readonly guide: Readonly<Record<string, Float32Array>>
  best: { update: number; wer: number; cer: number } | undefined
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
const vectorsOf = ({ parameters, firstMoment, secondMoment, guide }: TrainingState): Record<string, Float32Array> => ({ parameters, firstMoment, secondMoment, ...guide })

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

/** Loads the newest checkpoint into `state`; CheckpointError when its contents do not match its hash. Returns the length of metrics.jsonl then. */
export const loadCheckpoint = async (out: string, state: TrainingState): Promise<number> => {
  const newest = (await checkpointsOf(out)).at(-1)
  if (newest === undefined) throw new UsageError(`--resume: expected a checkpoint under ${join(out, 'checkpoints')}, found none`)
  const folder = join(out, 'checkpoints', newest)
  const progress = JSON.parse(await readFile(join(folder, 'progress.json'), 'utf8')) as Progress
  const file = await openSafetensors(join(folder, 'state.safetensors'))
  try {
    for (const [name, vector] of Object.entries(vectorsOf(state))) {
      if (file.shape(name)[0] !== vector.length) {
        throw new CheckpointError(`${folder}: ${name}: expected ${vector.length} values for this model, found ${file.shape(name)[0]}`)
      }
      vector.set(await file.read(name))
    }
  } finally {
    await file.close()
  }
  state.update = progress.update
  state.best = progress.best ?? undefined
  state.skipped = progress.skipped
  const found = stateHash(state)
  if (found !== progress.sha256) throw new CheckpointError(`${folder}: expected contents of SHA-256 ${progress.sha256}, found ${found}`)
  return progress.metricsBytes
}
