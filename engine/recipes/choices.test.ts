import { expect, it } from 'vitest'
import { recipeChoices, recipes, settingChoices, settings } from './index.ts'

it('offers every setting there is but the guidance, with its bounds', () => {
  const choices = new Map(settingChoices().map((choice) => [choice.path, choice]))
  expect([...choices.keys()].sort()).toEqual([...settings.keys()].filter((path) => path !== 'guidance.guidance').sort())
  expect(choices.get('training.updates')).toMatchObject({ kind: 'whole', min: 1, max: null })
  expect(choices.get('training.seed')).toMatchObject({ kind: 'whole', min: 0, max: null })
  expect(choices.get('training.dropout.hidden')).toMatchObject({ kind: 'number', min: 0, max: 1 })
  expect(choices.get('training.schedule.decay')).toMatchObject({ kind: 'choice', options: ['none', 'linear', 'cosine', 'exponential'] })
  expect(choices.get('mixer.inherit')).toMatchObject({ kind: 'switch' })
  expect(choices.get('training.speeds')).toMatchObject({ kind: 'numbers' })
  for (const { path, description } of choices.values()) expect(description !== '' || path === 'training.seed' || path.startsWith('mixer.') || /dropout|specAugment/.test(path), path).toBe(true)
})

it('offers the recipes of recognisers, each value with where it comes from', () => {
  const [tedlium] = recipeChoices(recipes).filter(({ name }) => name === 'tedlium')
  expect(recipeChoices(recipes).map(({ name }) => name)).toEqual(['tedlium', 'small-recognition'])
  expect(tedlium!.values.target['guidance.layerwiseWeight']).toEqual({ value: 3.75, from: 'the README’s commands (15, divided by 4 micro-batches)' })
  expect(tedlium!.values.unguided['guidance.layerwiseWeight']).toBeUndefined()
  expect(tedlium!.values.hybrid['guidance.switchUpdate']!.value).toBe(40_000)
})
