import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { recordingSeconds } from '../audio/index.ts'
import { AudioError, CaldError, ManifestError, messageOf, MissingFileError } from '../errors.ts'

/** One line of a manifest: a recording or a stretch of one, and what is said in it. */
export interface Utterance {
  /** The path as the manifest writes it, with #offset when there is one. */
  readonly id: string
  readonly audioPath: string
  /** Seconds as it is heard; read from the recording when the manifest does not say. */
  readonly duration: number
  /** How fast the recording is played; as it is when absent. */
  readonly speed?: number
  /** Which random channel it is heard through; none when absent. */
  readonly channel?: number
  readonly offset: number | undefined
  readonly text: string | undefined
  readonly speaker: string | undefined
  /** Every field of the line that holds a word or a number, as text: what utterances may be labelled by. */
  readonly fields: Readonly<Record<string, string>>
  readonly manifest: string
  /** 1-based. */
  readonly line: number
}

/** NeMo's manifest layout; other keys are allowed. */
const lineSchema = z.looseObject({
  audio_filepath: z.string().min(1),
  duration: z.number().positive().optional(),
  offset: z.number().nonnegative().optional(),
  text: z.string().optional(),
  speaker: z.string().optional(),
})

const parseLine = (text: string, where: string): z.infer<typeof lineSchema> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ManifestError(`${where}: expected a JSON object, found ${JSON.stringify(text.slice(0, 60))}`)
  }
  const parsed = lineSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ManifestError(`${where}: ${issue!.path.join('.') || 'the line'}: ${issue!.message}`)
}

const labelFields = (entry: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(entry).flatMap(([name, value]) => (typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : [])))

const readJsonLines = async (path: string): Promise<Utterance[]> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a manifest, found ${messageOf(error)}`)
  })
  const utterances: Utterance[] = []
  for (const [index, content] of text.split('\n').entries()) {
    if (content.trim() === '') continue
    const line = index + 1
    const where = `${path}:${line}`
    const entry = parseLine(content, where)
    const audioPath = resolve(dirname(path), entry.audio_filepath)
    utterances.push({
      id: entry.offset === undefined ? entry.audio_filepath : `${entry.audio_filepath}#${entry.offset}`,
      audioPath,
      duration: entry.duration ?? (await located(where, () => recordingSeconds(audioPath))) - (entry.offset ?? 0),
      offset: entry.offset,
      text: entry.text,
      speaker: entry.speaker,
      fields: labelFields(entry),
      manifest: path,
      line,
    })
  }
  return utterances
}

/** Errors about a recording, with the manifest line that names it. */
const located = async <T>(where: string, job: () => Promise<T>): Promise<T> => {
  try {
    return await job()
  } catch (error) {
    if (error instanceof AudioError) throw new AudioError(`${where}: ${error.message}`)
    if (error instanceof CaldError) throw new MissingFileError(`${where}: ${error.message}`)
    throw error
  }
}

/** How a corpus folder is laid out; another layout is another entry: which folders it knows, and how it reads them. */
interface CorpusLayout {
  readonly description: string
  readonly recognises: (entries: readonly string[]) => boolean
  readonly read: (folder: string) => Promise<Utterance[]>
}

const layouts: readonly CorpusLayout[] = [
  { description: 'a folder with manifest.jsonl', recognises: (entries) => entries.includes('manifest.jsonl'), read: (folder) => readJsonLines(join(folder, 'manifest.jsonl')) },
]

/** Reads a JSONL manifest, or a corpus folder of a known layout. ManifestError carries file and line. */
export const readCorpus = async (path: string): Promise<Utterance[]> => {
  const found = await stat(path).catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a manifest or a corpus folder, found ${messageOf(error)}`)
  })
  const utterances = found.isDirectory() ? await readFolder(path) : await readJsonLines(path)
  if (utterances.length === 0) throw new ManifestError(`${path}: expected at least one utterance, found none`)
  return utterances
}

const readFolder = async (path: string): Promise<Utterance[]> => {
  const entries = await readdir(path)
  const layout = layouts.find(({ recognises }) => recognises(entries))
  if (layout === undefined) throw new ManifestError(`${path}: expected ${layouts.map(({ description }) => description).join(' or ')}, found ${entries.slice(0, 5).join(', ') || 'nothing'}`)
  return layout.read(path)
}

/** Opens every recording's header; training and evaluation refuse a corpus with an unreadable file, before they start. */
export const checkRecordings = async (utterances: readonly Utterance[]): Promise<void> => {
  for (const { audioPath, manifest, line, offset } of utterances) {
    const seconds = await located(`${manifest}:${line}`, () => recordingSeconds(audioPath))
    if (offset !== undefined && offset >= seconds) throw new AudioError(`${manifest}:${line}: expected an offset inside the ${seconds.toFixed(2)} s of ${audioPath}, found ${offset} s`)
  }
}

/** Every utterance's transcript; ManifestError names the first line without one. */
export const requireTexts = (utterances: readonly Utterance[]): string[] =>
  utterances.map(({ text, manifest, line }) => {
    if (text === undefined) throw new ManifestError(`${manifest}:${line}: expected "text", found none`)
    return text
  })
