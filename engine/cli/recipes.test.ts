import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { cald, openWorkshop, type Workshop } from './testing/command.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})

interface RunJson {
  settings: { updates: number; batchSeconds: number; seed: number; schedule: Record<string, unknown>; mixerPhase?: unknown; dropout: object }
  guidance: Record<string, unknown>
  recipe: string | null
  origins: Record<string, string>
}

const convert = async (name: string, ...more: string[]): Promise<{ code: number | null; stderr: string; run: RunJson; config: { mixer: Record<string, unknown> } }> => {
  const out = join(shop.folder, name)
  const data = ['--train', shop.manifest, '--dev', shop.manifest]
  const { code, stderr } = await cald('convert', '--teacher', shop.model, '--guidance', 'target', ...data, '--out', out, ...more)
  const json = async (path: string): Promise<unknown> => (existsSync(path) ? JSON.parse(await readFile(path, 'utf8')) : undefined)
  return { code, stderr, run: (await json(join(out, 'run.json'))) as RunJson, config: (await json(join(out, 'last', 'config.json'))) as { mixer: Record<string, unknown> } }
}

describe('a recipe, a settings file and flags', { timeout: 120_000 }, () => {
  it('make one run: flags first, then the file, then the recipe, then defaults; run.json says which', async () => {
    const file = join(shop.folder, 'settings.json')
    await writeFile(file, JSON.stringify({ training: { updates: 6, schedule: { peak: 1e-3 }, mixerPhase: { updates: 2 }, seed: 7 }, guidance: { outputWeight: 0 } }))
    const { code, stderr, run, config } = await convert('all', '--recipe', 'small-recognition', '--settings', file, '--steps', '4', '--warmup', '1')
    expect(code, stderr).toBe(0)
    expect(run.recipe).toBe('small-recognition')
    expect(run.settings).toMatchObject({ updates: 4, batchSeconds: 30, seed: 7, schedule: { peak: 1e-3, warmupUpdates: 1, decay: 'cosine', floor: 3e-5 }, mixerPhase: { updates: 2, learningRate: 3e-3 } })
    expect(run.guidance).toMatchObject({ guidance: 'target', layerwiseWeight: 3.75, outputWeight: 0 })
    expect(config.mixer).toMatchObject({ gate: 'none', ngroups: 2 })
    expect(run.origins).toMatchObject({
      'training.updates': 'flag',
      'training.schedule.warmupUpdates': 'flag',
      'training.schedule.peak': file,
      'training.seed': file,
      'guidance.outputWeight': file,
      'guidance.layerwiseWeight': 'recipe small-recognition',
      'mixer.inherit': 'recipe small-recognition',
      'training.keepCheckpoints': 'default',
    })
  })

  it('follow each other where one value comes from another: warm-up from updates, floor from peak', async () => {
    const file = join(shop.folder, 'few.json')
    await writeFile(file, JSON.stringify({ training: { updates: 20, schedule: { peak: 2e-3 }, evaluateEvery: 20 } }))
    const { code, stderr, run } = await convert('derived', '--settings', file, '--headdim', '8', '--d-state', '4')
    expect(code, stderr).toBe(0)
    expect(run.settings.schedule).toMatchObject({ peak: 2e-3, warmupUpdates: 2, floor: 2e-5 })
    expect(run.recipe).toBe(null)
  })

  it('give mixers of the shape that flags ask for, whatever the recipe has', async () => {
    const { code, stderr, config } = await convert('shaped', '--recipe', 'small-recognition', '--steps', '2', '--mixer-updates', '1', '--headdim', '8', '--d-state', '4')
    expect(code, stderr).toBe(0)
    expect(config.mixer).toMatchObject({ gate: 'silu', headdim: 8, dState: 4 })
  })

  it('restore the authors’ teacher and weight decay', async () => {
    const { code, stderr, run } = await convert('authors', '--teacher-mode', 'training', '--decay-scope', 'authors', '--mask-time-prob', '0.2', '--steps', '2', '--headdim', '8', '--d-state', '4')
    expect(code, stderr).toBe(0)
    expect(run.guidance.teacherMode).toBe('training')
    expect(run.settings).toMatchObject({ decayScope: 'authors' })
    expect(run.origins).toMatchObject({ 'guidance.teacherMode': 'flag', 'training.decayScope': 'flag' })
    const losses = async (name: string): Promise<unknown> => (JSON.parse((await readFile(join(shop.folder, name, 'metrics.jsonl'), 'utf8')).split('\n')[0]!) as { output: unknown }).output
    const plain = await convert('plain', '--mask-time-prob', '0.2', '--steps', '2', '--headdim', '8', '--d-state', '4')
    expect(plain.code, plain.stderr).toBe(0)
    // The same student, another lesson.
    expect(await losses('authors')).not.toBe(await losses('plain'))
  })

  it('are refused by name', async () => {
    const file = join(shop.folder, 'wrong.json')
    await writeFile(file, JSON.stringify({ training: { update: 3 } }))
    await writeFile(join(shop.folder, 'none.json'), 'nonsense')
    const refusals: [string[], string][] = [
      [['--recipe', 'tedlum'], 'the nearest is tedlium'],
      [['--settings', file], `${file}: expected settings that there are, found training.update; the nearest is training.updates`],
      [['--settings', join(shop.folder, 'none.json')], 'none.json: expected JSON'],
      [['--settings', join(shop.folder, 'gone.json')], '--settings: expected a JSON file'],
      [['--recipe', 'slurp'], 'recipe slurp: expected --layerwise-weight'],
      [['--recipe', 'voxceleb'], `--recipe voxceleb: expected a model for classification, found ${shop.model}, which is for recognition; recipes for that: tedlium, small-recognition`],
    ]
    for (const [args, message] of refusals) {
      const { code, stderr, run } = await convert('refused', ...args)
      expect(code, stderr).toBe(2)
      expect(stderr.trim().split('\n').length).toBe(1)
      expect(stderr).toContain(message)
      expect(run).toBeUndefined()
    }
    const conversion = join(shop.folder, 'conversion.json')
    await writeFile(conversion, JSON.stringify({ guidance: { outputWeight: 0 } }))
    const data = ['--train', shop.manifest, '--dev', shop.manifest, '--out', join(shop.folder, 'refused')]
    const { code, stderr } = await cald('finetune', '--model', shop.model, ...data, '--settings', conversion)
    expect(code).toBe(2)
    expect(stderr).toBe('cald: --settings: expected settings of training for finetune, found guidance.outputWeight\n')
  })
})

describe('cald recipes', () => {
  it('lists them, and shows one with values, where they are for and where they come from', async () => {
    const [all, one, json, unknown] = await Promise.all([cald('recipes'), cald('recipes', 'tedlium'), cald('recipes', 'slurp', '--json'), cald('recipes', 'slurb')])
    expect(all.stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['tedlium', 'slurp', 'voxceleb', 'small-recognition', 'small-classification', ''])
    expect(one.stdout).toMatch(/guidance\.layerwiseWeight +3\.75 +guided +15, divided by 4 micro-batches +the README’s commands/)
    const { ingredients } = JSON.parse(json.stdout) as { ingredients: { path: string; value: unknown; meaning: string }[] }
    expect(ingredients.find(({ path }) => path === 'guidance.layerwiseWeight')).toMatchObject({ value: null, meaning: 'α: weight of the mean layerwise alignment loss' })
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('the nearest is slurp')
  })
})
