import { readdir } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { sha256OfWeights, statedLicence } from '../checkpoint/index.ts'
import { CaldError, UsageError } from '../errors.ts'
import type { OpenedModel } from '../models/index.ts'

/** What config.json records under `cald`. */
type Lineage = Readonly<Record<string, unknown>> | undefined

/** Another model's path as a model saved under `out` (in out/best, out/last) records it: relative, so that both can move together. */
export const fromRun = (out: string, model: string): string => relative(join(resolve(out), 'best'), resolve(model))

/** SHA-256 of the weights of a folder; undefined when it is no model's. */
const weightsHash = (folder: string): Promise<string | undefined> =>
  sha256OfWeights(folder).catch((error: unknown) => {
    if (error instanceof CaldError) return undefined
    throw error
  })

/**
 * The model that `model` was fine-tuned from, as its config.json's `cald` records it: at the recorded path, else a folder beside `model`;
 * only if its weights are still the recorded ones. UsageError when there is none.
 */
export const recordedSource = async (model: string, cald: Lineage): Promise<string> => {
  const { source, sourceSha256 } = cald ?? {}
  if (typeof source !== 'string' || typeof sourceSha256 !== 'string') {
    throw new UsageError(`--source: expected the model that ${model} was fine-tuned from; found none named and none recorded in its config.json`)
  }
  const parent = dirname(resolve(model))
  const beside = (await readdir(parent, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => join(parent, name))
  for (const folder of [resolve(model, source), ...beside]) if ((await weightsHash(folder)) === sourceSha256) return folder
  throw new UsageError(`--source: expected the model that ${model} was fine-tuned from, with weights of SHA-256 ${sourceSha256}, at ${resolve(model, source)} or beside ${model}; found none`)
}

/** SHA-256s of the manifests that a model, or one it descends from, was trained on. */
export const trainingData = (cald: Lineage): string[] => {
  const recorded = cald?.trainingDataSha256
  return Array.isArray(recorded) ? recorded.filter((sha256) => typeof sha256 === 'string') : []
}

/** The manifests of a new model: its own and those of the models it starts from and learns from. */
export const inherited = (own: readonly string[], ...ancestors: readonly Lineage[]): string[] => [...new Set([...own, ...ancestors.flatMap(trainingData)])]

/** `ancestorLicences` of a model made from others: what their cards state, and what was known of their own ancestors; nothing when nothing is known. */
export const licencesOf = async (...ancestors: readonly Pick<OpenedModel, 'folder' | 'config'>[]): Promise<{ ancestorLicences?: string[] }> => {
  const known = new Set<string>()
  for (const { folder, config: { cald } } of ancestors) {
    const stated = await statedLicence(folder.path)
    const recorded: unknown[] = Array.isArray(cald?.ancestorLicences) ? cald.ancestorLicences : []
    for (const licence of [stated, ...recorded]) if (typeof licence === 'string') known.add(licence)
  }
  return known.size === 0 ? {} : { ancestorLicences: [...known] }
}
