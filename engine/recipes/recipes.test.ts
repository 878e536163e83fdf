import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guidanceNames, guidanceSchema, mixerSchema, trainingSchema, type TrainingInput } from '../contract/index.ts'
import { scheduleOf } from '../distill/optimiser/fromSettings.ts'
import { learningRate } from '../distill/optimiser/schedule.ts'
import { UsageError } from '../errors.ts'
import { ingredientsFor, layerOf, recipeOf, recipes, requireGiven, resolve, settings, treeOf, valuesOf, type Role } from './index.ts'

const roles: Role[] = ['finetune', ...guidanceNames]
const trainingIn = (name: string, role: Role) => {
  const { training } = treeOf(layerOf(recipeOf(recipes, name), role).values) as { training: Partial<TrainingInput> }
  return trainingSchema.parse({ seed: 1, evaluateEvery: 250, clipNorm: 1, ...training })
}

/** Twenty updates over a run and its corners. */
const updatesOf = (updates: number, corners: readonly number[]): number[] => [...corners, ...Array.from({ length: 20 - corners.length }, (_, i) => Math.floor(((i + 0.5) * updates) / (20 - corners.length)))]

describe('recipes', () => {
  it.each(recipes.flatMap((recipe) => roles.map((role) => [recipe.name, role] as const)))('%s sets for %s what the schemas take, and says of each value where it comes from', (name, role) => {
    const recipe = recipeOf(recipes, name)
    const { training, guidance = {}, mixer = {} } = treeOf(layerOf(recipe, role).values) as Record<string, object>
    expect(trainingSchema.safeParse({ seed: 1, evaluateEvery: 250, clipNorm: 1, ...training }).error).toBeUndefined()
    if (role === 'finetune') expect({ ...guidance, ...mixer }).toEqual({})
    else if (!ingredientsFor(recipe, role).some(({ value }) => value === undefined)) {
      expect(guidanceSchema.safeParse({ guidance: role, layerwiseWeight: 0, outputWeight: 0, ...guidance }).error).toBeUndefined()
      expect(mixerSchema.strip().safeParse({ expand: 1, dConv: 4, ngroups: 1, ...mixer }).error).toBeUndefined()
    }
    const ingredients = ingredientsFor(recipe, role)
    expect(new Set(ingredients.map(({ path }) => path)).size).toBe(ingredients.length)
    for (const { path, from } of ingredients) {
      expect(settings.has(path), path).toBe(true)
      expect(from).not.toBe('')
    }
  })

  it.each(['tedlium', 'slurp', 'voxceleb'].flatMap((name) => roles.map((role) => [name, role] as const)))('%s, %s: the learning rate is the authors’ at twenty updates', (name, role) => {
    const training = trainingIn(name, role)
    expect(training.updates).toBe(90_000)
    // Up to 3e-4 in 5,000 updates, down to 1.5e-6 in 75,000 by equal factors, then flat.
    const authors = (step: number): number => (step < 5000 ? 3e-4 * (step / 5000) : step < 80_000 ? 3e-4 * Math.exp(((step - 5000) / 75_000) * Math.log(1.5e-6 / 3e-4)) : 1.5e-6)
    const steps = updatesOf(90_000, [0, 1, 4999, 5000, 5001, 79_999, 80_000, 89_999])
    expect(steps.length).toBe(20)
    for (const step of steps) expect(Math.abs(learningRate(scheduleOf(training), step) / (authors(step) || 1) - Number(step > 0))).toBeLessThan(1e-12)
  })

  it.each([
    ['small-recognition', 'unguided', 400, 40, 3e-3, 3e-5],
    ['small-recognition', 'finetune', 5000, 150, 1e-3, 1e-5],
    ['small-classification', 'target', 400, 40, 3e-3, 3e-5],
    ['small-classification', 'finetune', 400, 40, 2e-3, 2e-5],
  ] as const)('%s, %s: the learning rate is half a cosine behind a rise, at twenty updates', (name, role, updates, warmup, peak, floor) => {
    const training = trainingIn(name, role)
    expect(training.updates).toBe(updates)
    const expected = (step: number): number => (step < warmup ? (peak * step) / warmup : floor + (peak - floor) * Math.cos((Math.PI / 2) * ((step - warmup) / (updates - warmup))) ** 2)
    for (const step of updatesOf(updates, [0, 1, warmup, updates - 1])) expect(learningRate(scheduleOf(training), step)).toBeCloseTo(expected(step), 12)
  })

  it.each([
    ['tedlium', 'target', 4, 1.9e6, 15 / 4, 1 / 4],
    ['slurp', 'target', 2, 2e6, undefined, 0],
    ['voxceleb', 'target', 4, 2.25e6, (30 / 4) * 3, 0],
    ['tedlium', 'finetune', 3, 2.5e6, undefined, undefined],
    ['slurp', 'unguided', 3, 5e6, undefined, undefined],
  ] as const)('%s, %s: micro-batches of as many samples, and weights on this engine’s scale', (name, role, microBatches, samples, alpha, beta) => {
    const { values } = layerOf(recipeOf(recipes, name), role)
    expect(values['training.microBatches']).toBe(microBatches)
    expect((values['training.batchSeconds'] as number) * 16_000).toBe(samples)
    expect(values['guidance.layerwiseWeight']).toBe(alpha)
    expect(values['guidance.outputWeight']).toBe(beta)
  })

  it('leave to the user what depends on the data, and say how to find it', () => {
    const slurp = recipeOf(recipes, 'slurp')
    expect(() => { requireGiven(slurp, 'target', {}) }).toThrow('recipe slurp: expected --layerwise-weight 7.5 × the mean number of characters')
    requireGiven(slurp, 'target', { 'guidance.layerwiseWeight': 300 })
    requireGiven(slurp, 'unguided', {})
  })
})

describe('settings by name', () => {
  it.each([
    [{ training: { update: 3 } }, 'training.update', 'training.updates'],
    [{ training: { schedule: { peek: 1 } } }, 'training.schedule.peek', 'training.schedule.peak'],
    [{ batchSecond: 3 }, 'batchSecond', 'training.batchSeconds'],
    [{ guidance: { layerwiseweight: 3 } }, 'guidance.layerwiseweight', 'guidance.layerwiseWeight'],
    [{ mixer: { headDim: 3 } }, 'mixer.headDim', 'mixer.headdim'],
  ])('%j is refused with the nearest name', (tree, found, near) => {
    expect(() => valuesOf(tree, 'here.json')).toThrow(UsageError)
    expect(() => valuesOf(tree, 'here.json')).toThrow(`here.json: expected settings that there are, found ${found}; the nearest is ${near}`)
  })

  it('are refused with a value of another kind, by name', () => {
    expect(() => valuesOf({ training: { updates: 'many' } }, 'here.json')).toThrow('here.json: training.updates: expected number')
    expect(() => valuesOf({ training: { dropout: { hidden: 2 } } }, 'here.json')).toThrow('training.dropout.hidden')
    expect(() => valuesOf([], 'here.json')).toThrow('here.json: expected settings that there are, found []')
    expect(() => recipeOf(recipes, 'tedlum')).toThrow('found tedlum; the nearest is tedlium')
  })

  it('are a tree again', () => {
    const tree = { training: { updates: 3, schedule: { peak: 0.1 }, speeds: [1, 2] }, mixer: { inherit: true } }
    expect(treeOf(valuesOf(tree, 'here.json'))).toEqual(tree)
  })
})

describe('layers of settings', () => {
  it('give each setting the value of the first that has it, and say which that was', () => {
    const values = fc.dictionary(fc.constantFrom(...settings.keys()), fc.option(fc.integer(), { nil: undefined }))
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (all) => {
        const layers = all.map((own, i) => ({ origin: `layer ${i}`, values: own }))
        const { values: chosen, origins } = resolve(layers)
        for (const path of settings.keys()) {
          const first = all.findIndex((own) => own[path] !== undefined)
          expect(chosen[path]).toBe(all[first]?.[path])
          expect(origins[path]).toBe(first < 0 ? undefined : `layer ${first}`)
        }
      }),
    )
  })
})
