import type { GuidanceName } from '../contract/index.ts'
import { UsageError } from '../errors.ts'
import { nearest, valuesOf, type Values } from './settingPaths.ts'

/** What a run is for; a recipe may say other things for each. */
export type Role = 'finetune' | GuidanceName

/** Runs that share values in the authors' tables. */
export type Group = 'finetune' | 'unguided' | 'guided'
const groupOf = (role: Role): Group => (role === 'finetune' || role === 'unguided' ? role : 'guided')

/** A value of a recipe. */
export interface Ingredient {
  /** The setting, by its dotted path. */
  readonly path: string
  /** What this engine's formulas want; by what the run is for, where that matters. Undefined: it depends on the data, and is the user's to give (`instead` says how). */
  readonly value: unknown
  /** Runs it is for; default: all. */
  readonly only?: readonly (Group | Role)[]
  /** What the source says, where its scale is another. */
  readonly nominal?: string
  /** Where it comes from. */
  readonly from: string
  readonly instead?: string
}

export interface Recipe {
  readonly name: string
  readonly title: string
  readonly task: 'recognition' | 'classification'
  readonly ingredients: readonly Ingredient[]
}

/** The ingredients for a run. */
export const ingredientsFor = ({ ingredients }: Recipe, role: Role): Ingredient[] => ingredients.filter(({ only }) => only === undefined || only.includes(role) || only.includes(groupOf(role)))

/** What a recipe sets in a run, checked against the settings there are. */
export const recipeValues = (recipe: Recipe, role: Role): Values => {
  const chosen = ingredientsFor(recipe, role).filter(({ value }) => value !== undefined)
  return Object.assign({}, ...chosen.map(({ path, value }) => valuesOf(path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value), `recipe ${recipe.name}`))) as Values
}

/** The recipe of a name. UsageError, with the nearest name, when there is none. */
export const recipeOf = (recipes: readonly Recipe[], name: string): Recipe => {
  const found = recipes.find((recipe) => recipe.name === name)
  if (found !== undefined) return found
  const names = recipes.map((recipe) => recipe.name)
  throw new UsageError(`--recipe: expected one of ${names.join(', ')}, found ${name}; the nearest is ${nearest(name, names)}`)
}
