import { basename, resolve } from 'node:path'
import type { ModelEntry } from '../contract/index.ts'
import { UsageError } from '../errors.ts'
import { bundledModel } from '../jobs/bundled.ts'
import type { EngineLink } from './engineLink.ts'
import { filesOf, type Store } from './store.ts'

type Origin = Pick<ModelEntry, 'name' | 'origin' | 'run' | 'teacher' | 'data'>

/** Opens a model folder in the engine, which checks every tensor, and enters it in the library; the folder stays where and as it is. */
export const addModel = async (store: Store, engine: EngineLink, path: string, origin: Origin): Promise<ModelEntry> => {
  const folder = resolve(path)
  const known = store.library.models.find((model) => model.path === folder)
  if (known !== undefined && !known.removed && origin.origin === 'imported') throw new UsageError(`${folder} is in the library already, as ${known.name}`)
  const { architecture, mixer, layers, hiddenSize, vocabulary, samplingRate, parameters, parametersByPart } = await engine.run('inspect', folder)
  const entry: ModelEntry = {
    id: known?.id ?? store.freeId(origin.name),
    ...origin,
    path: folder,
    kind: mixer.startsWith('attention') ? 'transformer' : 'student',
    addedAt: known?.addedAt ?? new Date().toISOString(),
    removed: false,
    facts: { architecture, mixer, layers, hiddenSize, vocabulary, samplingRate, parameters, parametersByPart },
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
