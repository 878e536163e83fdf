import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ManifestError, MissingFileError, reasonOf } from '../errors.ts'
import { parseCsv, type Row } from './csv.ts'
import { utteranceOf, type Line, type Utterance } from './utterance.ts'

/** Names of the columns in use, the first that a table has being the one that is read. */
const columnNames = {
  recording: ['file_name', 'audio_filepath', 'path', 'file', 'filename', 'audio'],
  text: ['text', 'transcription', 'transcript', 'sentence', 'normalized_text'],
  speaker: ['speaker', 'speaker_id', 'client_id'],
  duration: ['duration'],
  offset: ['offset'],
} as const

const delimiters = [',', ';', '\t', '|'] as const

type Column = keyof typeof columnNames

const columnOf = (header: readonly string[], column: Column): number => {
  const names = header.map((name) => name.trim().toLowerCase())
  return columnNames[column].map((name) => names.indexOf(name)).find((index) => index >= 0) ?? -1
}

/** A table with a header (HF's AudioFolder, Common Voice), or that of LJSpeech: id|transcript|transcript in words, without one, its recordings in `wavs`. */
const linesOf = (text: string, path: string): Line[] => {
  const first = text.slice(0, text.search(/\r?\n|$/)).replace(/^\uFEFF/, '')
  const delimiter = delimiters.find((one) => columnOf(first.split(one).map((name) => name.replaceAll('"', '')), 'recording') >= 0)
  if (delimiter !== undefined) {
    const [header, ...rows] = parseCsv(text, delimiter)
    return rows.map((row) => lineOf(header!.cells, row, path))
  }
  // LJSpeech quotes nothing.
  const [ids, ...said] = first.split('|')
  if (ids === '' || said.length < 1 || said.length > 2) {
    throw new ManifestError(`${path}:1: expected a header with ${columnNames.recording.slice(0, 3).join(', ')} or the like, or LJSpeech's id|transcript, found ${JSON.stringify(first.slice(0, 80))}`)
  }
  return text.split(/\r?\n/).flatMap((content, index) => {
    if (content.trim() === '') return []
    const where = `${path}:${index + 1}`
    const cells = content.replace(/^\uFEFF/, '').split('|')
    if (cells.length !== said.length + 1) throw new ManifestError(`${where}: expected ${said.length + 1} fields separated by |, as on the first line, found ${cells.length}`)
    const name = join('wavs', `${cells[0]}.wav`)
    return [{ name, audioPath: resolve(dirname(path), name), duration: undefined, offset: undefined, text: cells.at(-1)!, speaker: undefined, fields: {}, manifest: path, where }]
  })
}

const lineOf = (header: readonly string[], { cells, line }: Row, path: string): Line => {
  const where = `${path}:${line}`
  if (cells.length !== header.length) throw new ManifestError(`${where}: expected ${header.length} cells, as in the header, found ${cells.length}`)
  const cell = (column: Column): string | undefined => {
    const value = cells[columnOf(header, column)]
    return value === '' ? undefined : value
  }
  const seconds = (column: 'duration' | 'offset'): number | undefined => {
    const value = cell(column)
    if (value === undefined) return undefined
    const number = Number(value)
    if (!Number.isFinite(number) || number < 0 || (column === 'duration' && number === 0)) throw new ManifestError(`${where}: ${column}: expected seconds, found ${JSON.stringify(value.slice(0, 40))}`)
    return number
  }
  const name = cell('recording')
  if (name === undefined) throw new ManifestError(`${where}: ${header[columnOf(header, 'recording')]}: expected a recording, found an empty cell`)
  return {
    name,
    audioPath: resolve(dirname(path), name),
    duration: seconds('duration'),
    offset: seconds('offset'),
    text: columnOf(header, 'text') < 0 ? undefined : cell('text') ?? '',
    speaker: cell('speaker'),
    fields: Object.fromEntries(header.flatMap((label, i) => (cells[i] === '' ? [] : [[label.trim(), cells[i]!]]))),
    manifest: path,
    where,
  }
}

/** A metadata.csv, or any table of its kind; ManifestError carries file and line. */
export const readMetadata = async (path: string): Promise<Utterance[]> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a manifest, found ${reasonOf(error)}`)
  })
  let lines: Line[]
  try {
    lines = linesOf(text, path)
  } catch (error) {
    throw error instanceof SyntaxError ? new ManifestError(`${path}:${error.message}`) : error
  }
  const utterances: Utterance[] = []
  for (const line of lines) utterances.push(await utteranceOf(line))
  return utterances
}
