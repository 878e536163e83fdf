import type { Command } from 'commander'
import { recipeOf, recipes, settings, type Ingredient, type Recipe } from '../../recipes/index.ts'

const valueInWords = ({ value, instead }: Ingredient): string => (value === undefined ? `(${instead ?? 'yours to give'})` : typeof value === 'string' ? value : JSON.stringify(value).replaceAll(/[[\]]/g, ''))

const inWords = ({ name, title, task, ingredients }: Recipe): string => {
  const rows = ingredients.map((ingredient) => {
    const { path, only, nominal, from } = ingredient
    return [path, valueInWords(ingredient), only?.join(', ') ?? 'all', nominal ?? '', from]
  })
  const table = [['setting', 'value', 'for', 'there', 'from'], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd())
  return [`${name}: ${title} (${task})`, '', ...lines].join('\n')
}

/** A recipe with what each of its settings means. */
const described = (recipe: Recipe): unknown => ({ ...recipe, ingredients: recipe.ingredients.map((ingredient) => ({ ...ingredient, value: ingredient.value ?? null, meaning: settings.get(ingredient.path)!.description })) })

export const addRecipeCommands = (program: Command): void => {
  program
    .command('recipes')
    .description('the recipes for --recipe, or the settings of one, each with where it comes from')
    .argument('[name]', 'the recipe to show')
    .option('--json', 'print JSON')
    .action((name: string | undefined, { json }: { json?: true }) => {
      const shown = name === undefined ? recipes : [recipeOf(recipes, name)]
      const text =
        json === true
          ? JSON.stringify(name === undefined ? shown.map(described) : described(shown[0]!))
          : name === undefined
            ? shown.map((recipe) => `${recipe.name.padEnd(22)}${recipe.title}`).join('\n')
            : inWords(shown[0]!)
      process.stdout.write(`${text}\n`)
    })
}
