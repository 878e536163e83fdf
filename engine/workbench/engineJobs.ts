import { sha256OfWeights } from '../checkpoint/index.ts'
import type { Choices } from '../contract/index.ts'
import { benchmark, convert, describeData, estimate, exportModel, guidanceChoices, inspect, sideBySide, split, synthesise, type JobContext, type ModelSummary } from '../jobs/index.ts'
import { recipeChoices, recipes, settingChoices } from '../recipes/index.ts'
import { probeDevices } from '../runtime/index.ts'

/** What the engine's process can be asked to do; a new job is an entry here. */
export const engineJobs = {
  benchmark,
  convert,
  describeData: (path: string) => describeData(path),
  describeEngine: async (): Promise<Pick<Choices, 'guidance' | 'devices' | 'settings' | 'recipes'>> => ({ guidance: guidanceChoices(), settings: settingChoices(), recipes: recipeChoices(recipes), devices: await probeDevices() }),
  estimate,
  exportModel,
  inspect: async (path: string): Promise<ModelSummary & { weightsSha256: string; notes: string[] }> => {
    const notes: string[] = []
    const summary = await inspect(path, (event) => { if (event.kind === 'note') notes.push(event.message) })
    return { ...summary, notes, weightsSha256: await sha256OfWeights(path) }
  },
  sideBySide,
  split: (settings: Parameters<typeof split>[0]) => split(settings),
  synthesise,
} satisfies Readonly<Record<string, (settings: never, context: JobContext) => Promise<unknown>>>

export type EngineJob = keyof typeof engineJobs
export type JobSettings<J extends EngineJob> = Parameters<(typeof engineJobs)[J]>[0]
export type JobResult<J extends EngineJob> = Awaited<ReturnType<(typeof engineJobs)[J]>>
