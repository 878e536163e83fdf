import { mkdir } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { writeFileAtomic } from '../checkpoint/index.ts'
import type { DataEntry } from '../contract/index.ts'
import type { EngineLink } from './engineLink.ts'
import type { Store } from './store.ts'

/**
 * Enters one recording in the library, as a corpus of one utterance that nobody has transcribed; the same file again is the same entry.
 * Only a line that names it is written, in the library's own folder.
 */
export const addRecording = async (store: Store, engine: EngineLink, path: string): Promise<DataEntry> => {
  const audio = resolve(path)
  const known = store.library.data.find(({ recording }) => recording === audio)
  const id = known?.id ?? store.freeId(basename(audio))
  const manifest = store.path('recordings', `${id}.jsonl`)
  await mkdir(store.path('recordings'), { recursive: true })
  await writeFileAtomic(manifest, `${JSON.stringify({ audio_filepath: audio })}\n`)
  const entry: DataEntry = { id, name: basename(audio), path: manifest, recording: audio, addedAt: known?.addedAt ?? new Date().toISOString(), removed: false, facts: await engine.run('describeData', manifest) }
  await store.put('data', entry)
  return entry
}
