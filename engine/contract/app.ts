import { z } from 'zod'
import type { JobEvent } from './events.ts'
import type { Comparison } from './comparison.ts'
import type { ConversionEstimate } from './estimate.ts'
import type { DataEntry, DataFacts, Library, ModelEntry, ModelFacts, RunEntry, RunMetrics, UtteranceRow } from './library.ts'
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
  /** Opens a model folder and checks every tensor, without entering it in the library. */
  checkModel: z.strictObject({ path }),
  importModel: z.strictObject({ path }),
  modelDetails: z.strictObject({ id }),
  /** Writes a copy into the folder at `path`. */
  exportModel: z.strictObject({ id, format: z.enum(['onnx', 'safetensors']), precision: z.enum(['float32', 'float16']), path }),
  removeModel: z.strictObject({ id }),
  restoreModel: z.strictObject({ id }),
  /** Deletes what is in the trash: the entry, and of a model that was made here its files. */
  deleteModel: z.strictObject({ id }),
  checkData: z.strictObject({ path }),
  importData: z.strictObject({ path }),
  /** Divides a corpus; dev and test are shares of its speech, the rest is for training. */
  splitData: z.strictObject({ id, dev: z.number().gt(0).max(0.5), test: z.number().min(0).max(0.5), by: z.enum(['speaker', 'utterance']), seed: z.int().nonnegative() }),
  removeData: z.strictObject({ id }),
  restoreData: z.strictObject({ id }),
  deleteData: z.strictObject({ id }),
  utterances: z.strictObject({ data: id, search: z.string().max(200).default(''), offset: z.int().nonnegative().default(0), limit: z.int().positive().max(500).default(100) }),
  peaks: z.strictObject({ data: id, utterance: z.int().nonnegative(), buckets: z.int().min(8).max(20_000) }),
  /** Time and memory of a conversion, by a rehearsal of it; another one ends the one before. */
  estimateConversion: conversionSchema,
  cancelEstimate: none,
  startConversion: conversionSchema,
  /** Writes a checkpoint and holds the queue until the run is resumed or stopped. */
  pauseRun: z.strictObject({ id }),
  stopRun: z.strictObject({ id }),
  resumeRun: z.strictObject({ id }),
  removeRun: z.strictObject({ id }),
  restoreRun: z.strictObject({ id }),
  metrics: z.strictObject({ id }),
  /** Moves the library to an empty or new folder. */
  moveStore: z.strictObject({ path }),
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
  checkModel: ModelCheck
  importModel: ModelEntry
  modelDetails: ModelDetails
  exportModel: ExportedModel
  removeModel: null
  restoreModel: null
  deleteModel: null
  checkData: DataCheck
  importData: DataEntry
  /** Those for training, development and test, in this order. */
  splitData: readonly DataEntry[]
  removeData: null
  restoreData: null
  deleteData: null
  /** Those that match, from `offset` on. */
  utterances: { readonly total: number; readonly rows: readonly UtteranceRow[] }
  /** Largest magnitude of each of `buckets` equal stretches, 0 … 1. */
  peaks: { readonly seconds: number; readonly peaks: readonly number[] }
  estimateConversion: ConversionEstimate
  cancelEstimate: null
  startConversion: RunEntry
  pauseRun: null
  stopRun: null
  resumeRun: null
  removeRun: null
  restoreRun: null
  metrics: RunMetrics
  moveStore: null
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

/** What was found in a folder that may become a model of the library. */
export interface ModelCheck {
  readonly name: string
  readonly path: string
  readonly kind: ModelEntry['kind']
  readonly facts: ModelFacts
  readonly files: ModelEntry['files']
  /** What of it was not as usual, and modules of its weights that the model has no place for. */
  readonly notes: readonly string[]
  /** Its name in the library, when it is there already. */
  readonly known: string | null
}

export interface DataCheck {
  readonly name: string
  readonly path: string
  readonly facts: DataFacts
  readonly known: string | null
}

export interface ModelDetails {
  /** The model card, Markdown; null when there is none. */
  readonly card: string | null
  /** Tokens by their number; empty where there is no CTC head. */
  readonly tokens: readonly string[]
}

export interface ExportedModel {
  readonly out: string
  readonly bytes: number
  /** How an ONNX file compares with the engine: largest difference between two logits, and share of frames with the same token. */
  readonly agreement: { readonly largestDifference: number; readonly sameToken: number } | null
}

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
  readonly settings: readonly SettingChoice[]
  readonly recipes: readonly RecipeChoice[]
  readonly devices: readonly { readonly name: string; readonly usable: boolean; readonly reason: string }[]
}

/** A setting of a conversion by its dotted path, with what it may hold. */
export interface SettingChoice {
  readonly path: string
  readonly description: string
  readonly kind: 'whole' | 'number' | 'numbers' | 'switch' | 'choice'
  readonly options: readonly string[]
  readonly min: number | null
  readonly max: number | null
}

/** A recipe for recognisers: what it sets under each way of guiding, and where each value comes from. */
export interface RecipeChoice {
  readonly name: string
  readonly title: string
  readonly values: { readonly [G in GuidanceName]: Readonly<Record<string, { readonly value: unknown; readonly from: string }>> }
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
