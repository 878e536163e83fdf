import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ManifestError, MissingFileError, reasonOf } from '../errors.ts'
import { utteranceOf, type Utterance } from './utterance.ts'

/** Folders in folders that are looked into, and files in all of them. */
const bounds = { depth: 8, files: 2_000_000 }

const wavPattern = /\.wav$/i

/** Paths of all files in a folder and those in it, by name; hidden ones and links to folders are passed by. */
const filesIn = async (root: string): Promise<string[]> => {
  const files: string[] = []
  const walk = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      throw new MissingFileError(`${join(root, folder)}: expected a readable folder, found ${reasonOf(error)}`)
    })
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      if (!entry.isDirectory()) files.push(join(folder, entry.name))
      else if (depth < bounds.depth) await walk(join(folder, entry.name), depth + 1)
      if (files.length > bounds.files) throw new ManifestError(`${root}: expected at most ${bounds.files} files, found more`)
    }
  }
  await walk('', 0)
  return files.sort()
}

/** Whether files lie beside each other as recordings and their transcripts do. */
export const holdsTranscribed = (names: readonly string[]): boolean => {
  const all = new Set(names)
  return names.some((name) => wavPattern.test(name) && transcriptsOf(name).some((transcript) => all.has(transcript)))
}

const transcriptsOf = (wav: string): string[] => ['.txt', '.TXT'].map((extension) => wav.replace(wavPattern, extension))

/**
 * WAV files, each with its transcript beside it: a.wav and a.txt. Folders in the folder count; the one a recording lies in is its field `folder`, to classify by.
 * ManifestError when there is no recording.
 */
export const readTranscribedRecordings = async (root: string): Promise<Utterance[]> => {
  const files = await filesIn(root)
  const all = new Set(files)
  const utterances: Utterance[] = []
  for (const name of files) {
    if (!wavPattern.test(name)) continue
    const wanted = transcriptsOf(name)
    const transcript = wanted.find((one) => all.has(one))
    const where = join(root, transcript ?? wanted[0]!)
    const folder = dirname(name)
    utterances.push(
      await utteranceOf({
        name,
        audioPath: join(root, name),
        duration: undefined,
        offset: undefined,
        text: transcript === undefined ? undefined : (await readFile(where, 'utf8').catch((error: unknown) => {
          throw new MissingFileError(`${where}: expected a transcript, found ${reasonOf(error)}`)
        })).replace(/^\uFEFF/, '').trim(),
        speaker: undefined,
        fields: folder === '.' ? {} : { folder },
        manifest: root,
        where,
      }),
    )
  }
  return utterances
}
