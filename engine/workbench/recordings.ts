import { mkdir } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { writeFileAtomic } from '../checkpoint/index.ts'
import type { DataEntry } from '../contract/index.ts'
import { bundledSample } from '../jobs/bundled.ts'
import type { EngineLink } from './engineLink.ts'
import type { Store } from './store.ts'

/**
 * Enters one recording in the library, as a corpus of one utterance that nobody has transcribed; the same file again is the same entry.
 * Only a line that names it is written, in the library's own folder.
 */
export const addRecording = async (store: Store, engine: EngineLink, path: string, name?: string): Promise<DataEntry> => {
  const audio = resolve(path)
  const known = store.library.data.find(({ recording }) => recording === audio)
  const id = known?.id ?? store.freeId(name ?? basename(audio))
  const manifest = store.path('recordings', `${id}.jsonl`)
  await mkdir(store.path('recordings'), { recursive: true })
  await writeFileAtomic(manifest, `${JSON.stringify({ audio_filepath: audio })}\n`)
  const entry: DataEntry = { id, name: name ?? known?.name ?? basename(audio), path: manifest, recording: audio, addedAt: known?.addedAt ?? new Date().toISOString(), removed: false, facts: await engine.run('describeData', manifest) }
  await store.put('data', entry)
  return entry
}

/** Enters the spoken sample that comes with the product, unless it was entered before: somebody may have removed it. */
export const addSample = async (store: Store, engine: EngineLink): Promise<void> => {
  if (!store.library.data.some(({ recording }) => recording === bundledSample())) await addRecording(store, engine, bundledSample(), 'Spoken sample')
}
