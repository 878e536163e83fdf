import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { recordingSeconds } from '../audio/index.ts'
import { sha256Of, sha256OfFile } from '../checkpoint/index.ts'
import { AudioError, ManifestError, MissingFileError, reasonOf } from '../errors.ts'
import { readJsonLines } from './jsonLines.ts'
import { readMetadata } from './metadata.ts'
import { holdsTranscribed, readTranscribedRecordings } from './recordings.ts'
import { located, type Utterance } from './utterance.ts'

/** How a corpus folder is laid out; another layout is another entry: which folders it knows by the names in them, and how it reads them. */
interface CorpusLayout {
  readonly description: string
  readonly recognises: (entries: readonly string[]) => boolean
  readonly read: (folder: string) => Promise<Utterance[]>
}

const manifestLayouts: readonly CorpusLayout[] = [
  { description: 'manifest.jsonl', recognises: (entries) => entries.includes('manifest.jsonl'), read: (folder) => readJsonLines(join(folder, 'manifest.jsonl')) },
  { description: 'metadata.csv', recognises: (entries) => entries.includes('metadata.csv'), read: (folder) => readMetadata(join(folder, 'metadata.csv')) },
]

/** A file that lists a corpus, by its extension; anything else is read as JSON lines. */
const readManifest = (path: string): Promise<Utterance[]> => (['.csv', '.tsv'].includes(extname(path).toLowerCase()) ? readMetadata(path) : readJsonLines(path))

/** Whether a folder that holds files of these names is a corpus. Recordings may also lie in folders of the folder, which names do not show. */
export const isCorpusFolder = (entries: readonly string[]): boolean => manifestLayouts.some(({ recognises }) => recognises(entries)) || holdsTranscribed(entries)

/** Reads a manifest (JSONL or CSV), or a corpus folder of a known layout. ManifestError carries file and line. */
export const readCorpus = async (path: string): Promise<Utterance[]> => {
  const found = await stat(path).catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a manifest or a corpus folder, found ${reasonOf(error)}`)
  })
  const utterances = found.isDirectory() ? await readFolder(path) : await readManifest(path)
  if (utterances.length === 0) throw new ManifestError(`${path}: expected at least one utterance, found none`)
  return utterances
}

const readFolder = async (path: string): Promise<Utterance[]> => {
  const entries = await readdir(path)
  const layout = manifestLayouts.find(({ recognises }) => recognises(entries))
  if (layout !== undefined) return layout.read(path)
  const utterances = await readTranscribedRecordings(path)
  if (utterances.length > 0) return utterances
  const known = manifestLayouts.map(({ description }) => description).join(' or ')
  throw new ManifestError(`${path}: expected a folder with ${known}, or WAV files with .txt files beside them, found ${entries.slice(0, 5).join(', ') || 'nothing'}`)
}

/**
 * SHA-256 of each manifest that utterances come from: of its bytes, or of the names and transcripts where no file lists them.
 * What says whether two models were trained on the same data.
 */
export const manifestHashes = async (utterances: readonly Utterance[]): Promise<Map<string, string>> => {
  const of = new Map<string, Utterance[]>()
  for (const utterance of utterances) {
    const known = of.get(utterance.manifest)
    if (known === undefined) of.set(utterance.manifest, [utterance])
    else known.push(utterance)
  }
  const hashes = new Map<string, string>()
  for (const [manifest, own] of of) {
    const isFolder = (await stat(manifest)).isDirectory()
    hashes.set(manifest, isFolder ? sha256Of(new TextEncoder().encode(own.map(({ id, text }) => `${JSON.stringify([id, text])}\n`).join(''))) : await sha256OfFile(manifest))
  }
  return hashes
}

/** Opens every recording's header; training and evaluation refuse a corpus with an unreadable file, before they start. */
export const checkRecordings = async (utterances: readonly Utterance[]): Promise<void> => {
  for (const { audioPath, where, offset } of utterances) {
    const seconds = await located(where, () => recordingSeconds(audioPath))
    if (offset !== undefined && offset >= seconds) throw new AudioError(`${where}: expected an offset inside the ${seconds.toFixed(2)} s of ${audioPath}, found ${offset} s`)
  }
}

/** Every utterance's transcript; ManifestError names the first line without one. */
export const requireTexts = (utterances: readonly Utterance[]): string[] =>
  utterances.map(({ text, where }) => {
    if (text === undefined) throw new ManifestError(`${where}: expected "text", found none`)
    return text
  })
