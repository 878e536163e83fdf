import { z } from 'zod'
import { guidanceNames, type GuidanceName, type RecipeChoice, type SettingChoice } from '../contract/index.ts'
import { ingredientsFor, recipeValues, type Recipe } from './recipe.ts'
import { settings } from './settingPaths.ts'

/** What JSON Schema says of a setting. */
interface Described {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly exclusiveMaximum?: number
}

const kinds: Readonly<Record<string, SettingChoice['kind']>> = { integer: 'whole', number: 'number', array: 'numbers', boolean: 'switch', string: 'choice' }

/** Whole numbers above 0 start at 1. */
const leastOf = ({ type, minimum, exclusiveMinimum }: Described): number | null => (type === 'integer' && exclusiveMinimum !== undefined ? exclusiveMinimum + 1 : (minimum ?? exclusiveMinimum ?? null))
/** JSON Schema names the largest integer where there is no limit. */
const mostOf = ({ maximum, exclusiveMaximum }: Described): number | null => {
  const most = maximum ?? exclusiveMaximum ?? null
  return most === Number.MAX_SAFE_INTEGER ? null : most
}

/** Every setting of a conversion but the guidance itself, as a front end offers it. */
export const settingChoices = (): SettingChoice[] =>
  [...settings.values()]
    .filter(({ path }) => path !== 'guidance.guidance')
    .map(({ path, schema, description }) => {
      const described = z.toJSONSchema(schema) as Described
      return { path, description, kind: kinds[described.type ?? 'string'] ?? 'choice', options: described.enum ?? [], min: leastOf(described), max: mostOf(described) }
    })

/** Recipes of recognisers under every way of guiding. */
export const recipeChoices = (recipes: readonly Recipe[]): RecipeChoice[] =>
  recipes
    .filter(({ task }) => task === 'recognition')
    .map((recipe) => ({ name: recipe.name, title: recipe.title, values: Object.fromEntries(guidanceNames.map((name) => [name, valuesFor(recipe, name)])) as RecipeChoice['values'] }))

const valuesFor = (recipe: Recipe, guidance: GuidanceName): Record<string, { value: unknown; from: string }> => {
  const values = recipeValues(recipe, guidance)
  const from = new Map(ingredientsFor(recipe, guidance).map((ingredient) => [ingredient.path, ingredient]))
  return Object.fromEntries(
    Object.entries(values).map(([path, value]) => {
      const { from: where, nominal } = from.get(path)!
      return [path, { value, from: nominal === undefined ? where : `${where} (${nominal})` }]
    }),
  )
}
