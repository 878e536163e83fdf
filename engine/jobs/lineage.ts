import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { sha256OfFile, statedLicence } from '../checkpoint/index.ts'
import { UsageError } from '../errors.ts'

/** What config.json records under `cald`. */
type Lineage = Readonly<Record<string, unknown>> | undefined

export const weightsOf = (model: string): string => join(model, 'model.safetensors')

/** Another model's path as a model saved under `out` (in out/best, out/last) records it: relative, so that both can move together. */
export const fromRun = (out: string, model: string): string => relative(join(resolve(out), 'best'), resolve(model))

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

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
  const beside = (await readdir(parent)).map((name) => join(parent, name))
  const candidates = []
  for (const folder of [resolve(model, source), ...beside]) if (await isThere(weightsOf(folder))) candidates.push(folder)
  for (const folder of candidates) if ((await sha256OfFile(weightsOf(folder))) === sourceSha256) return folder
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
export const licencesOf = async (...ancestors: readonly { readonly path: string; readonly cald: Lineage }[]): Promise<{ ancestorLicences?: string[] }> => {
  const known = new Set<string>()
  for (const { path, cald } of ancestors) {
    const stated = await statedLicence(path)
    const recorded: unknown[] = Array.isArray(cald?.ancestorLicences) ? cald.ancestorLicences : []
    for (const licence of [stated, ...recorded]) if (typeof licence === 'string') known.add(licence)
  }
  return known.size === 0 ? {} : { ancestorLicences: [...known] }
}
