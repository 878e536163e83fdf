import { z } from 'zod'
import type { JobEvent } from './events.ts'
import type { Comparison } from './comparison.ts'
import type { DataEntry, Library, ModelEntry, RunEntry, RunMetrics, UtteranceRow } from './library.ts'
import { conversionSchema, id, preferencesSchema, type Preferences } from './conversion.ts'
import type { GuidanceName } from './settings.ts'

/**
 * What a window may ask of the engine. A new request is an entry here, its answer an entry of AppAnswers; the handlers' type then asks for it.
 * Arguments are unknown until parsed by the schema.
 */
const path = z.string().min(1).max(4096)

const none = z.strictObject({})
export const appRequests = {
  library: none,
  choices: none,
  setPreferences: preferencesSchema,
  listFolder: z.strictObject({ path: path.optional() }),
  importModel: z.strictObject({ path }),
  removeModel: z.strictObject({ id }),
  restoreModel: z.strictObject({ id }),
  importData: z.strictObject({ path }),
  removeData: z.strictObject({ id }),
  restoreData: z.strictObject({ id }),
  utterances: z.strictObject({ data: id, search: z.string().max(200).default(''), offset: z.int().nonnegative().default(0), limit: z.int().positive().max(500).default(100) }),
  peaks: z.strictObject({ data: id, utterance: z.int().nonnegative(), buckets: z.int().min(8).max(20_000) }),
  startConversion: conversionSchema,
  stopRun: z.strictObject({ id }),
  resumeRun: z.strictObject({ id }),
  metrics: z.strictObject({ id }),
  startFirstMinute: none,
  startComparison: z.strictObject({ first: id, second: id, data: id }),
  comparison: z.strictObject({ id }),
  removeComparison: z.strictObject({ id }),
  restoreComparison: z.strictObject({ id }),
  importRecording: z.strictObject({ path }),
  /** Seconds of speech each; in time order the longest decides. */
  measureLatency: z.strictObject({ id, durations: z.array(z.int().min(1).max(3600)).min(1).max(12), repeats: z.int().min(1).max(9) }),
  comparisonPage: z.strictObject({ id }),
} as const satisfies Readonly<Record<string, z.ZodType>>

export type AppRequest = keyof typeof appRequests
export type AppArguments<R extends AppRequest> = z.input<(typeof appRequests)[R]>
export type ParsedArguments<R extends AppRequest> = z.output<(typeof appRequests)[R]>

/** The answer to each request. */
export interface AppAnswers {
  library: Library
  choices: Choices
  setPreferences: Preferences
  listFolder: FolderListing
  importModel: ModelEntry
  removeModel: null
  restoreModel: null
  importData: DataEntry
  removeData: null
  restoreData: null
  /** Those that match, from `offset` on. */
  utterances: { readonly total: number; readonly rows: readonly UtteranceRow[] }
  /** Largest magnitude of each of `buckets` equal stretches, 0 … 1. */
  peaks: { readonly seconds: number; readonly peaks: readonly number[] }
  startConversion: RunEntry
  stopRun: null
  resumeRun: null
  metrics: RunMetrics
  startFirstMinute: null
  startComparison: { readonly id: string }
  comparison: Comparison
  removeComparison: null
  restoreComparison: null
  importRecording: DataEntry
  measureLatency: null
  /** A self-contained HTML page. */
  comparisonPage: string
}

export type AppHandlers = { readonly [R in AppRequest]: (args: ParsedArguments<R>) => Promise<AppAnswers[R]> }

export interface FolderListing {
  readonly path: string
  readonly parent: string | null
  /** Folders, manifests and recordings; others are left out. */
  readonly entries: readonly { readonly name: string; readonly path: string; readonly kind: 'folder' | 'model' | 'data' | 'recording' }[]
}

/** What a window offers to choose from, and where it computes. */
export interface Choices {
  readonly version: string
  readonly store: string
  readonly cores: number
  readonly guidance: readonly GuidanceChoice[]
  readonly devices: readonly { readonly name: string; readonly usable: boolean; readonly reason: string }[]
}

export interface GuidanceChoice {
  readonly name: GuidanceName
  readonly startsFrom: 'source' | 'teacher'
  /** One sentence: when to choose it. */
  readonly when: string
}

/** What the engine tells every window unasked. */
export type AppEvent =
  | { readonly kind: 'library'; readonly library: Library }
  | { readonly kind: 'run'; readonly id: string; readonly event: JobEvent }

/** Messages between a window and the engine's host, over any transport. */
export type FromHost =
  | { readonly answer: number; readonly result: unknown }
  | { readonly answer: number; readonly error: { readonly name: string; readonly message: string } }
  | { readonly event: AppEvent }

export const toHostSchema = z.strictObject({ ask: z.int().nonnegative(), request: z.string(), args: z.unknown() })
export type ToHost = z.infer<typeof toHostSchema>
