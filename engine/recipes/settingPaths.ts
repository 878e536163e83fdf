import { z } from 'zod'
import { guidanceSchema, mixerSchema, trainingSchema } from '../contract/index.ts'
import { UsageError } from '../errors.ts'

/** Everything a training run can be told, as one tree. */
const runSchema = z.strictObject({
  training: trainingSchema,
  guidance: guidanceSchema,
  mixer: mixerSchema.omit({ blend: true }).extend({ inherit: z.boolean().describe('start the mixers as the attention they replace, in its shape') }),
})

/** Values of settings by their dotted paths in that tree, as `training.schedule.peak`. */
export type Values = Readonly<Record<string, unknown>>

interface Setting {
  readonly path: string
  readonly schema: z.ZodType
  readonly description: string
}

const unwrapped = (schema: z.ZodType): z.ZodType => (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? unwrapped(schema.unwrap() as z.ZodType) : schema)

function* settingsOf(schema: z.ZodObject, prefix: string): Generator<Setting> {
  for (const [name, field] of Object.entries(schema.shape) as [string, z.ZodType][]) {
    const inner = unwrapped(field)
    if (inner instanceof z.ZodObject) yield* settingsOf(inner, `${prefix}${name}.`)
    else yield { path: `${prefix}${name}`, schema: inner, description: field.description ?? '' }
  }
}

/** Every setting by its path. */
export const settings: ReadonlyMap<string, Setting> = new Map([...settingsOf(runSchema, '')].map((setting) => [setting.path, setting]))

/** Characters to insert, delete or replace to make the one name of the other (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])))
    row = next
  }
  return row[b.length]!
}

/** The one of `names` that is spelt most like a name that is none of them. */
export const nearest = (name: string, names: Iterable<string>): string => {
  const lower = name.toLowerCase()
  const last = (path: string): string => path.slice(path.lastIndexOf('.') + 1)
  // A setting is often written without the branch it hangs on.
  const cost = (candidate: string): number => Math.min(distance(lower, candidate.toLowerCase()), 0.5 + distance(last(lower), last(candidate.toLowerCase())))
  return [...names].map((candidate) => ({ candidate, cost: cost(candidate) })).sort((a, b) => a.cost - b.cost)[0]!.candidate
}

/** The leaves of a tree of settings by their paths. UsageError, with the nearest name, for one that there is not, or a value that it cannot have; `where` is the file or recipe. */
export const valuesOf = (tree: unknown, where: string): Values => {
  const found: Record<string, unknown> = {}
  const visit = (value: unknown, path: string): void => {
    const setting = settings.get(path)
    if (setting !== undefined) {
      const parsed = setting.schema.safeParse(value)
      if (!parsed.success) throw new UsageError(`${where}: ${path}: ${parsed.error.issues[0]!.message.replace(/^Invalid input: /, '')}, found ${JSON.stringify(value)}`)
      found[path] = parsed.data
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value) && (path === '' || [...settings.keys()].some((known) => known.startsWith(`${path}.`)))) {
      for (const [name, inner] of Object.entries(value)) visit(inner, path === '' ? name : `${path}.${name}`)
    } else {
      throw new UsageError(`${where}: expected settings that there are, found ${path === '' ? JSON.stringify(value) : path}${path === '' ? '' : `; the nearest is ${nearest(path, settings.keys())}`}`)
    }
  }
  visit(tree, '')
  return found
}

/** The tree of some values. */
export const treeOf = (values: Values): Record<string, unknown> => {
  const tree: Record<string, unknown> = {}
  for (const [path, value] of Object.entries(values)) {
    if (value === undefined) continue
    const names = path.split('.')
    let branch = tree
    for (const name of names.slice(0, -1)) branch = (branch[name] ??= {}) as Record<string, unknown>
    branch[names.at(-1)!] = value
  }
  return tree
}
