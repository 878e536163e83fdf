import { cp, mkdtemp, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openWorkshop } from '../cli/testing/command.ts'
import { sha256OfWeights } from '../checkpoint/index.ts'
import { UsageError } from '../errors.ts'
import { createModel, saveModel } from '../models/index.ts'
import { fromRun, inherited, recordedSource, trainingData } from './lineage.ts'

let folder: string
/** A source, a teacher that was made of it in runs/teacher, and a model of other weights. */
const arrange = async (): Promise<{ source: string; teacher: string; cald: Record<string, unknown> }> => {
  const place = await mkdtemp(join(folder, 'place-'))
  const [source, run] = [join(place, 'models', 'source'), join(place, 'runs', 'teacher')]
  const shop = await openWorkshop()
  await cp(shop.model, source, { recursive: true })
  const other = createModel(shop.weights.config, 99)
  await saveModel(join(run, 'best'), other, { preprocessor: {}, vocabulary: {}, tokenizer: {} })
  return { source, teacher: join(run, 'best'), cald: { source: fromRun(run, source), sourceSha256: await sha256OfWeights(source) } }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lineage-'))
})

describe('recordedSource', () => {
  it('finds the source at the recorded path, which names no folder of this machine', async () => {
    const { source, teacher, cald } = await arrange()
    expect(cald.source).toBe('../../../models/source')
    expect(await recordedSource(teacher, cald)).toBe(source)
  })

  it('finds it beside the teacher when both have moved', async () => {
    const { source, teacher, cald } = await arrange()
    const [movedTeacher, movedSource] = [join(folder, 'library', 'digits'), join(folder, 'library', 'english')]
    await cp(teacher, movedTeacher, { recursive: true })
    await rename(source, movedSource)
    expect(await recordedSource(movedTeacher, cald)).toBe(movedSource)
  })

  it('takes no model of other weights, and says what is missing', async () => {
    const { source, teacher, cald } = await arrange()
    await cp(teacher, source, { recursive: true, force: true })
    await expect(recordedSource(teacher, cald)).rejects.toThrow(/--source: expected .* with weights of SHA-256 [0-9a-f]{64}, at .*; found none/)
    await expect(recordedSource(teacher, {})).rejects.toBeInstanceOf(UsageError)
    await expect(recordedSource(teacher, undefined)).rejects.toThrow('none recorded')
  })
})

describe('inherited', () => {
  it('joins a model’s manifests with those of its ancestors, each once', () => {
    expect(inherited(['a', 'b'], { trainingDataSha256: ['b', 'c'] }, undefined, { trainingDataSha256: 'no list' })).toEqual(['a', 'b', 'c'])
    expect(trainingData({ trainingDataSha256: [1, 'a'] })).toEqual(['a'])
  })
})
