import type { Choices } from '../contract/index.ts'
import { benchmark, convert, describeData, guidanceChoices, inspect, sideBySide, synthesise, type JobContext } from '../jobs/index.ts'
import { probeDevices } from '../runtime/index.ts'

/** What the engine's process can be asked to do; a new job is an entry here. */
export const engineJobs = {
  benchmark,
  convert,
  describeData: (path: string) => describeData(path),
  describeEngine: async (): Promise<Pick<Choices, 'guidance' | 'devices'>> => ({ guidance: guidanceChoices(), devices: await probeDevices() }),
  inspect: (path: string) => inspect(path),
  sideBySide,
  synthesise,
} satisfies Readonly<Record<string, (settings: never, context: JobContext) => Promise<unknown>>>

export type EngineJob = keyof typeof engineJobs
export type JobSettings<J extends EngineJob> = Parameters<(typeof engineJobs)[J]>[0]
export type JobResult<J extends EngineJob> = Awaited<ReturnType<(typeof engineJobs)[J]>>
