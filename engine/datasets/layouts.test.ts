import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wav } from '../audio/testing/wav.ts'
import { AudioError, ManifestError } from '../errors.ts'
import { parseCsv } from './csv.ts'
import { checkRecordings, isCorpusFolder, manifestHashes, readCorpus, requireTexts } from './index.ts'

const folderOf = async (files: Record<string, string | Uint8Array>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-layouts-'))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

describe('a table', () => {
  it('reads back any cells, however they are quoted', () => {
    const cell = fc.oneof(fc.string(), fc.constantFrom('', '"', ',', '\n', '\r\n', ' a, "b"\n', 'é'))
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, fc.string({ minLength: 1 })), { minLength: 1, maxLength: 6 }), fc.boolean(), fc.boolean(), (rows, crlf, always) => {
        const quoted = (text: string): string => (always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
        const text = rows.map((row) => row.map(quoted).join(',')).join(crlf ? '\r\n' : '\n')
        expect(parseCsv(text, ',').map(({ cells }) => cells)).toEqual(rows)
      }),
    )
  })

  it('knows the line each row starts on, passes blank lines and a byte order mark, and keeps empty cells at the end', () => {
    expect(parseCsv('\uFEFFa,b\n\n"x\ny",z\r\nc,\nd,', ',')).toEqual([
      { cells: ['a', 'b'], line: 1 }, { cells: ['x\ny', 'z'], line: 3 }, { cells: ['c', ''], line: 5 }, { cells: ['d', ''], line: 6 },
    ])
  })

  it('with a header is a corpus: HF and Common Voice', async () => {
    const files = { 'a.wav': wav(0.5, 200), 'clips/b.wav': wav(1, 200) }
    const folder = await folderOf({ ...files, 'metadata.csv': 'file_name,transcription,speaker_id,intent\r\na.wav,"ONE, ""two""",x,lights\r\nclips/b.wav,THREE,y,\r\n' })
    const [a, b] = await readCorpus(folder)
    expect(a).toMatchObject({ id: 'a.wav', audioPath: join(folder, 'a.wav'), duration: 0.5, text: 'ONE, "two"', speaker: 'x', fields: { intent: 'lights' }, where: join(folder, 'metadata.csv:2') })
    expect(b).toMatchObject({ id: 'clips/b.wav', duration: 1, text: 'THREE' })
    expect(b!.fields).not.toHaveProperty('intent')

    const table = join(await folderOf({ ...files, 'dev.tsv': 'client_id\tpath\tsentence\toffset\tduration\nx\ta.wav\tONE\t0.25\t0.125\n' }), 'dev.tsv')
    const [stretch] = await readCorpus(table)
    expect(stretch).toMatchObject({ id: 'a.wav#0.25', offset: 0.25, duration: 0.125, text: 'ONE', speaker: 'x' })
    await checkRecordings([stretch!])
  })

  it('without a header is LJSpeech', async () => {
    const folder = await folderOf({ 'wavs/LJ1.wav': wav(0.5, 200), 'metadata.csv': 'LJ1|Dr. "X|Doctor "X\n' })
    expect((await readCorpus(folder))[0]).toMatchObject({ id: 'wavs/LJ1.wav', duration: 0.5, text: 'Doctor "X' })
  })

  it.each([
    ['file_name,text\na.wav', ':2: expected 2 cells, as in the header, found 1'],
    ['file_name,text\n,ONE', ':2: file_name: expected a recording, found an empty cell'],
    ['file_name,duration\na.wav,long', ':2: duration: expected seconds, found "long"'],
    ['file_name,offset\na.wav,-1', ':2: offset: expected seconds, found "-1"'],
    ['file_name,text\na.wav,"ONE', ':2: expected a closing quote, found the end'],
    ['file_name,text\na.wav,"ONE"x', ':2: expected "," or the line\'s end after a closing quote, found "x"'],
    ['name,words\na.wav,ONE', ':1: expected a header with file_name, audio_filepath, path or the like'],
    ['LJ1|one\nLJ2|two|three', ':2: expected 2 fields separated by |, as on the first line, found 3'],
    ['', ':1: expected a header'],
    ['file_name,text\n', 'expected at least one utterance, found none'],
  ])('refuses %j', async (content, message) => {
    const folder = await folderOf({ 'metadata.csv': content, 'a.wav': wav(0.5, 200), 'wavs/LJ1.wav': wav(0.5, 200) })
    await expect(readCorpus(folder)).rejects.toThrow(message)
    await expect(readCorpus(folder)).rejects.toBeInstanceOf(ManifestError)
  })

  it('names the line of a recording that is missing, and of one without a transcript', async () => {
    const missing = await folderOf({ 'metadata.csv': 'file_name,text\na.wav,ONE' })
    await expect(readCorpus(missing)).rejects.toThrow(/metadata\.csv:2: .*a\.wav: expected a recording/)
    const silent = await readCorpus(await folderOf({ 'metadata.csv': 'file_name,speaker\na.wav,x', 'a.wav': wav(0.5, 200) }))
    expect(() => requireTexts(silent)).toThrow('metadata.csv:2: expected "text", found none')
  })
})

describe('recordings with transcripts beside them', () => {
  const files = { 'b.wav': wav(0.5, 200), 'b.txt': '\uFEFFTWO\r\n', 'x/a.WAV': wav(1, 200), 'x/a.txt': 'ONE', 'x/notes.md': '', '._b.wav': '', 'y/z/c.wav': wav(0.25, 200) }

  it('are read in the order of their names, folders and all', async () => {
    const folder = await folderOf(files)
    const utterances = await readCorpus(folder)
    expect(utterances.map(({ id, duration, text, fields }) => [id, duration, text, fields])).toEqual([
      ['b.wav', 0.5, 'TWO', {}], ['x/a.WAV', 1, 'ONE', { folder: 'x' }], ['y/z/c.wav', 0.25, undefined, { folder: 'y/z' }],
    ])
    expect(() => requireTexts(utterances)).toThrow(`${join(folder, 'y/z/c.txt')}: expected "text", found none`)
  })

  it('have a hash of names and transcripts, wherever they lie', async () => {
    const hashOf = async (change: Record<string, string> = {}): Promise<string> => [...(await manifestHashes(await readCorpus(await folderOf({ ...files, ...change })))).values()].join()
    const hash = await hashOf()
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(await hashOf()).toBe(hash)
    expect(await hashOf({ 'b.txt': 'THREE' })).not.toBe(hash)
  })

  it('are named when one cannot be read, and a folder without any says what it should hold', async () => {
    await expect(readCorpus(await folderOf({ 'a.wav': 'no sound', 'a.txt': 'ONE' }))).rejects.toBeInstanceOf(AudioError)
    await expect(readCorpus(await folderOf({ 'a.mp3': '' }))).rejects.toThrow('expected a folder with manifest.jsonl or metadata.csv, or WAV files with .txt files beside them, found a.mp3')
  })
})

it('a corpus is told by the names in its folder', () => {
  for (const names of [['manifest.jsonl'], ['metadata.csv', 'wavs'], ['a.wav', 'a.txt']]) expect(isCorpusFolder(names)).toBe(true)
  for (const names of [[], ['a.wav'], ['a.wav', 'b.txt'], ['config.json']]) expect(isCorpusFolder(names)).toBe(false)
})
