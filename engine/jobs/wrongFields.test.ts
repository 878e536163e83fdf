import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { CaldError } from '../errors.ts'
import { openReadyModel } from './context.ts'
import { inspect } from './inspect.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Path = readonly (string | number)[]

const models = new URL('../../fixtures/models/', import.meta.url).pathname
const files = ['config.json', 'preprocessor_config.json', 'tokenizer_config.json', 'vocab.json', 'added_tokens.json', 'processor_config.json'] as const

let folder: string
const originals = new Map<string, Json>()
beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'cald-fields-')), 'model')
  await cp(join(models, 'student'), folder, { recursive: true })
  await writeFile(join(folder, 'added_tokens.json'), '{"<later>": 99}')
  await writeFile(join(folder, 'processor_config.json'), '{"feature_extractor": {"sampling_rate": 16000, "do_normalize": true}}')
  for (const file of files) originals.set(file, JSON.parse(await readFile(join(folder, file), 'utf8')) as Json)
})

/** Every place in a tree, the whole of it first. */
const placesIn = (value: Json, path: Path = []): Path[] => [
  path,
  ...(typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, Array.isArray(value) ? Number(key) : key])) : []),
]

const valueAt = (tree: Json, path: Path): Json => path.reduce((at, step) => (at as Record<string | number, Json>)[step]!, tree)

const withValue = (tree: Json, path: Path, value: Json | undefined): Json | undefined => {
  const [first, ...rest] = path
  if (first === undefined) return value
  const copy = structuredClone(tree) as Record<string | number, Json>
  const inner = withValue(copy[first]!, rest, value)
  if (inner === undefined) Reflect.deleteProperty(copy, first)
  else copy[first] = inner
  return copy
}

/** Values of every kind, at the edges of their kind. */
const strangers: readonly Json[] = [null, true, false, 0, -1, 0.5, 1e308, 2 ** 31, 2 ** 53, '', 'x', '16000', '\n', [], [null], [[]], [1, 'a'], {}, { a: 1 }, { content: 3 }, { toString: 1, valueOf: null, length: 2 }]

/** What became of a model folder in which one file is another: undefined where it opened. */
const refusal = async (file: string, content: string): Promise<unknown> => {
  await writeFile(join(folder, file), content)
  try {
    await openReadyModel(folder)
    await inspect(folder)
    return undefined
  } catch (error) {
    return error
  } finally {
    await writeFile(join(folder, file), JSON.stringify(originals.get(file)))
  }
}

const kindOf = (value: Json | undefined): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)

/** The file is named; for values of the right kind, which may only not fit the other files, the folder. */
const expectNamed = (error: unknown, place: string, what: string): void => {
  if (error === undefined) return
  const described = `${what}: ${error instanceof Error ? (error.stack ?? error.message) : 'thrown, no Error'}`
  expect(error, described).toBeInstanceOf(CaldError)
  const { exitCode, message } = error as CaldError
  expect(exitCode, described).toBe(2)
  expect(message.includes('\n'), described).toBe(false)
  expect(message.length, described).toBeLessThan(600)
  expect(message, described).toContain(place)
}

describe('a field of the wrong type in a model folder', { timeout: 120_000 }, () => {
  it.each(files)('%s: opens all the same, or is refused in one line that names the file', async (file) => {
    const original = originals.get(file)!
    let refused = 0
    for (const path of placesIn(original)) {
      for (const value of [...strangers, undefined]) {
        const changed = withValue(original, path, value)
        const error = await refusal(file, changed === undefined ? '' : JSON.stringify(changed))
        const fits = value === undefined || kindOf(value) === kindOf(valueAt(original, path))
        expectNamed(error, fits ? folder : join(folder, file), `${file} ${path.join('.')} = ${JSON.stringify(value)}`)
        if (error !== undefined) refused++
      }
    }
    expect(refused).toBeGreaterThan(0)
  })
})
