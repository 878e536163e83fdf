import type { ModelEntry, RunEntry } from '../../../engine/contract/index.ts'

export type Role = 'source' | 'teacher' | 'snapshot' | 'student'

/** The model that another was made of: by the run that made it, else by the weights that its own files record. */
export const parentOf = (model: ModelEntry, models: readonly ModelEntry[]): ModelEntry | undefined => {
  if (model.teacher !== undefined) return models.find(({ id }) => id === model.teacher)
  const recorded = model.recorded?.teacherSha256 ?? model.recorded?.sourceSha256
  return recorded === undefined ? undefined : models.find(({ id, recorded: own }) => own?.weightsSha256 === recorded && id !== model.id)
}

/** What a model is to the others: a snapshot by where it lies, a source when another was fine-tuned from it. */
export const rolesOf = (models: readonly ModelEntry[]): ReadonlyMap<string, Role> => {
  const sources = new Set(models.flatMap(({ kind, recorded }) => (kind === 'transformer' && recorded?.sourceSha256 !== undefined ? [recorded.sourceSha256] : [])))
  return new Map(
    models.map((model): [string, Role] => {
      if (model.kind === 'student') return [model.id, 'student']
      if (/[\\/]waypoints[\\/]update-\d+$/.test(model.path)) return [model.id, 'snapshot']
      const isSource = model.facts.head === 'no head' || (model.recorded !== undefined && sources.has(model.recorded.weightsSha256))
      return [model.id, isSource ? 'source' : 'teacher']
    }),
  )
}

/** A step of a model's descent: what it is, and how it came from the one before. */
export interface Step {
  readonly model: ModelEntry
  readonly run: RunEntry | undefined
  readonly how: 'fine-tuned' | 'converted' | undefined
  readonly guidance: string | undefined
  readonly data: string | undefined
}

const stepOf = (model: ModelEntry, hasParent: boolean, runs: readonly RunEntry[]): Step => {
  const run = runs.find(({ id }) => id === model.run)
  return { model, run, how: hasParent ? (model.kind === 'student' ? 'converted' : 'fine-tuned') : undefined, guidance: run?.conversion.guidance.guidance ?? model.recorded?.guidance, data: model.data }
}

/** From the oldest known ancestor to the model itself. */
export const descentOf = (model: ModelEntry, models: readonly ModelEntry[], runs: readonly RunEntry[]): Step[] => {
  const steps: Step[] = []
  for (let at: ModelEntry | undefined = model; at !== undefined && !steps.some((step) => step.model.id === at!.id); ) {
    const parent: ModelEntry | undefined = parentOf(at, models)
    steps.unshift(stepOf(at, parent !== undefined, runs))
    at = parent
  }
  return steps
}

/** The models that were made of one, in the order in which they came. */
export const childrenOf = (model: ModelEntry, models: readonly ModelEntry[], runs: readonly RunEntry[]): Step[] =>
  models.filter((one) => one.id !== model.id && parentOf(one, models)?.id === model.id).map((one) => stepOf(one, true, runs))
