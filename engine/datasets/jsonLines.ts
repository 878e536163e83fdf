import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { ManifestError, MissingFileError, reasonOf } from '../errors.ts'
import { utteranceOf, type Utterance } from './utterance.ts'

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

/** NeMo's manifest: one JSON object a line. */
export const readJsonLines = async (path: string): Promise<Utterance[]> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MissingFileError(`${path}: expected a manifest, found ${reasonOf(error)}`)
  })
  const utterances: Utterance[] = []
  for (const [index, content] of text.split('\n').entries()) {
    if (content.trim() === '') continue
    const where = `${path}:${index + 1}`
    const entry = parseLine(content, where)
    const { audio_filepath: name, duration, offset, text: said, speaker } = entry
    utterances.push(await utteranceOf({ name, audioPath: resolve(dirname(path), name), duration, offset, text: said, speaker, fields: labelFields(entry), manifest: path, where }))
  }
  return utterances
}
