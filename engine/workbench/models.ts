import { readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { readJson } from '../checkpoint/index.ts'
import type { ExportedModel, ModelCheck, ModelDetails, ModelEntry, ParsedArguments, Recorded } from '../contract/index.ts'
import { MissingFileError, UsageError } from '../errors.ts'
import { bundledModel } from '../jobs/bundled.ts'
import type { EngineLink } from './engineLink.ts'
import { filesOf, type Store } from './store.ts'

type Origin = Pick<ModelEntry, 'name' | 'origin' | 'run' | 'teacher' | 'data'>

/** What a model folder holds, as the library keeps it; opening it checks every tensor. */
const look = async (engine: EngineLink, folder: string): Promise<Pick<ModelCheck, 'kind' | 'facts' | 'notes'> & { recorded: Recorded }> => {
  const { architecture, mixer, layers, hiddenSize, head, vocabulary, samplingRate, parameters, parametersByPart, leftOut, lineage, notes, weightsSha256 } = await engine.run('inspect', folder)
  const { teacherSha256, sourceSha256, guidance } = (lineage ?? {}) as Record<string, unknown>
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  return {
    kind: mixer.startsWith('attention') ? 'transformer' : 'student',
    facts: { architecture, mixer, layers, hiddenSize, head, vocabulary, samplingRate, parameters, parametersByPart },
    recorded: { weightsSha256, teacherSha256: text(teacherSha256), sourceSha256: text(sourceSha256), guidance: text(guidance) },
    notes: [...notes, ...(leftOut.length === 0 ? [] : [`left out, since the model has no place for them: ${leftOut.join(', ')}`])],
  }
}

/** Opens a model folder in the engine, which checks every tensor, and enters it in the library; the folder stays where and as it is. */
export const addModel = async (store: Store, engine: EngineLink, path: string, origin: Origin): Promise<ModelEntry> => {
  const folder = resolve(path)
  const known = store.library.models.find((model) => model.path === folder)
  if (known !== undefined && !known.removed && origin.origin === 'imported') throw new UsageError(`${folder} is in the library already, as ${known.name}`)
  const { kind, facts, recorded } = await look(engine, folder)
  const entry: ModelEntry = {
    id: known?.id ?? store.freeId(origin.name),
    ...origin,
    path: folder,
    kind,
    recorded,
    addedAt: known?.addedAt ?? new Date().toISOString(),
    removed: false,
    facts,
    files: await filesOf(folder),
    evaluations: known?.evaluations ?? [],
  }
  await store.put('models', entry)
  return entry
}

/** Enters the models that come with the product. */
export const addBundled = async (store: Store, engine: EngineLink): Promise<void> => {
  const names = [['digits', 'Digits teacher'], ['source', 'Source model']] as const
  for (const [model, name] of names) {
    const path = bundledModel(model)
    if (!store.library.models.some((known) => known.path === path)) await addModel(store, engine, path, { name, origin: 'bundled' })
  }
}

export const importModel = (store: Store, engine: EngineLink, path: string): Promise<ModelEntry> => addModel(store, engine, path, { name: basename(resolve(path)), origin: 'imported' })

/** What a folder holds that may become a model of the library; nothing is entered. */
export const checkModel = async (store: Store, engine: EngineLink, path: string): Promise<ModelCheck> => {
  const folder = resolve(path)
  const { kind, facts, notes } = await look(engine, folder)
  return { name: basename(folder), path: folder, kind, facts, notes, files: await filesOf(folder), known: store.library.models.find((model) => model.path === folder && !model.removed)?.name ?? null }
}

/** A model may also be a weights file in a folder. */
const folderOf = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => {
    throw new MissingFileError(`${path}: expected the model that was imported, found nothing there; put it back, or import it from where it is now`)
  })
  return found.isDirectory() ? path : dirname(path)
}

export const modelDetails = async ({ path, facts }: ModelEntry): Promise<ModelDetails> => {
  const folder = await folderOf(path)
  const card = await readFile(join(folder, 'README.md'), 'utf8').catch(() => null)
  const vocabulary = facts.vocabulary === 0 ? undefined : ((await readJson(join(folder, 'vocab.json'))) as Record<string, number> | undefined)
  return { card, tokens: Object.entries(vocabulary ?? {}).sort(([, a], [, b]) => a - b).map(([token]) => token) }
}

/** Writes a copy of a model into a folder, under a name that is free there. */
export const exportTo = async (store: Store, engine: EngineLink, { id, format, precision, path }: ParsedArguments<'exportModel'>, threads: number): Promise<ExportedModel> => {
  const name = `${id}${precision === 'float16' ? '-float16' : ''}`
  const out = await freePath(resolve(path), name, format === 'onnx' ? '.onnx' : '')
  const { bytes, agreement } = await engine.run('exportModel', { model: store.get('models', id).path, out, format, precision, check: format === 'onnx', threads })
  return { out, bytes, agreement }
}

const freePath = async (folder: string, name: string, extension: string): Promise<string> => {
  for (let n = 1; ; n++) {
    const candidate = join(folder, `${name}${n === 1 ? '' : `-${n}`}${extension}`)
    if ((await stat(candidate).catch(() => undefined)) === undefined) return candidate
  }
}

/** Deletes what is in the trash. Files go only where they were made here; an imported model's stay. UsageError for a model that is not in the trash, or comes with the app. */
export const deleteModel = async (store: Store, id: string): Promise<void> => {
  const { name, removed, origin, path } = store.get('models', id)
  if (!removed) throw new UsageError(`expected a model in the trash, found ${name} in the library`)
  if (origin === 'bundled') throw new UsageError(`expected a model that was imported or made here, found ${name}, which comes with the app`)
  await store.drop('models', id)
  if (origin === 'run' && store.holds(path)) await rm(path, { recursive: true, force: true })
}
