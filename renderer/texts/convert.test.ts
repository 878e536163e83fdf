import { expect, test } from 'vitest'
import { settingChoices } from '../../engine/recipes/index.ts'
import { furtherFields, noteOf, plainFields } from './convert.ts'

test('the form reaches every setting there is, once, with a name, a unit and a word about it', () => {
  const fields = [...plainFields, ...furtherFields.flatMap(({ fields: own }) => own)]
  const choices = settingChoices()
  expect(fields.map(({ path }) => path).sort()).toEqual(choices.map(({ path }) => path).sort())
  expect(new Set(fields.map(({ label }) => label)).size).toBe(fields.length)
  for (const { path, unit } of fields) {
    expect(unit, path).toBeTruthy()
    expect(noteOf(path, choices.find((choice) => choice.path === path)!.description), path).not.toBe('')
  }
})
