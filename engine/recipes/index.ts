/** Recipes: named sets of settings, each value with where it comes from, and how they, a settings file and flags make one run. */
import { authorsRecipes } from './authors.ts'
import type { Recipe } from './recipe.ts'
import { smallMachineRecipes } from './smallMachine.ts'

export const recipes: readonly Recipe[] = [...authorsRecipes, ...smallMachineRecipes]
export { recipeChoices, settingChoices } from './choices.ts'
export { ingredientsFor, recipeOf, type Ingredient, type Recipe, type Role } from './recipe.ts'
export { layerOf, requireGiven, resolve, type Layer, type Resolved } from './resolve.ts'
export { nearest, settings, treeOf, valuesOf, type Values } from './settingPaths.ts'
