import { UsageError } from '../errors.ts'
import { ingredientsFor, recipeValues, type Recipe, type Role } from './recipe.ts'
import type { Values } from './settingPaths.ts'

/** Values and where they come from. */
export interface Layer {
  readonly origin: string
  readonly values: Values
}

export interface Resolved {
  readonly values: Values
  /** Of each value: which layer it comes from. */
  readonly origins: Readonly<Record<string, string>>
}

/** One value for each setting that any layer has: that of the first layer that has it. */
export const resolve = (layers: readonly Layer[]): Resolved => {
  const values: Record<string, unknown> = {}
  const origins: Record<string, string> = {}
  for (const { origin, values: own } of layers) {
    for (const [path, value] of Object.entries(own)) {
      if (value === undefined || path in values) continue
      values[path] = value
      origins[path] = origin
    }
  }
  return { values, origins }
}

/** UsageError when a recipe leaves a value to the user that no layer has. */
export const requireGiven = (recipe: Recipe, role: Role, given: Values): void => {
  for (const { path, value, instead } of ingredientsFor(recipe, role)) {
    if (value === undefined && given[path] === undefined) throw new UsageError(`recipe ${recipe.name}: expected ${instead ?? path}, found none`)
  }
}

/** The layer of a recipe in a run. */
export const layerOf = (recipe: Recipe, role: Role): Layer => ({ origin: `recipe ${recipe.name}`, values: recipeValues(recipe, role) })
