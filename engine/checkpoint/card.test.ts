import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { RuntimeError } from '../errors.ts'
import { openSafetensors, saveModelFolder, sha256OfFile, statedLicence, writeCard, writeFileAtomic, writeSafetensors } from './index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-card-'))
})

describe('a model card', () => {
  const save = (path: string, title: string, replace: boolean): Promise<void> =>
    saveModelFolder(
      path,
      {
        config: {},
        preprocessor: undefined,
        vocabulary: undefined,
        tokenizer: undefined,
        tensors: [{ name: 'x', shape: [2], data: Float32Array.of(1, 2) }],
        precision: 'float32',
        card: (sha256) => `# ${title}\n\n${sha256}\n`,
      },
      { replace },
    )

  it('states the SHA-256 of the weights beside it, and is written again with them', async () => {
    const path = join(folder, 'own')
    await save(path, 'first', false)
    const card = await readFile(join(path, 'README.md'), 'utf8')
    expect(card).toContain(`# first\n\n${await sha256OfFile(join(path, 'model.safetensors'))}\n`)
    await save(path, 'second', true)
    expect(await readFile(join(path, 'README.md'), 'utf8')).toContain('# second')
  })

  it.each([
    ['wrote', () => '# ours\n'],
    ['edited', (card: string) => card.replace('# first', '# First')],
    ['added to', (card: string) => `${card}More.\n`],
    ['emptied', () => ''],
  ])('that a person %s stays when the folder is replaced', async (what, edit) => {
    const path = join(folder, `person ${what}`)
    await save(path, 'first', false)
    const card = join(path, 'README.md')
    const edited = edit(await readFile(card, 'utf8'))
    await writeFile(card, edited)
    await save(path, 'second', true)
    expect(await readFile(card, 'utf8')).toBe(edited)
    expect(await writeCard(card, '# third\n')).toBe(false)
    expect(await readFile(card, 'utf8')).toBe(edited)
  })

  it('states a licence in its front matter or none', async () => {
    const licence = async (card: string): Promise<string | undefined> => {
      await writeFile(join(folder, 'README.md'), card)
      return statedLicence(folder)
    }
    expect(await licence('---\ntags:\n- ctc\nlicense: apache-2.0\n---\n# x')).toBe('apache-2.0')
    expect(await licence('---\r\nlicense: "mit" # as usual\r\n---\r\n')).toBe('mit')
    expect(await licence('# x\n\nlicense: mit\n')).toBe(undefined)
    expect(await statedLicence(join(folder, 'gone'))).toBe(undefined)
  })
})

describe('writeFileAtomic', () => {
  it('lets the written file be looked at before it takes the place of the old one', async () => {
    const path = join(folder, 'checked')
    await writeFileAtomic(path, 'old')
    const seen: string[] = []
    const check = async (temporary: string): Promise<void> => {
      seen.push(await readFile(temporary, 'utf8'), await readFile(path, 'utf8'))
      throw new RuntimeError('not what it should be')
    }
    await expect(writeFileAtomic(path, 'new', { check })).rejects.toThrow(new RuntimeError('not what it should be'))
    expect(seen).toEqual(['new', 'old'])
    expect(await readFile(path, 'utf8')).toBe('old')
    expect((await readdir(folder)).filter((name) => name.startsWith('checked'))).toEqual(['checked'])
  })
})

describe('float16 safetensors', () => {
  it('come back rounded to float16, aligned and with their shapes', async () => {
    const path = join(folder, 'half.safetensors')
    const odd = Float32Array.of(1, 2 / 3, -1e-8)
    await writeSafetensors(path, [{ name: 'odd', shape: [3], data: odd }, { name: 'even', shape: [2, 1], data: Float32Array.of(1e5, 3) }], { precision: 'float16' })
    const file = await openSafetensors(path)
    // 2/3 has the significand 1.0101010101₂ (1365/1024) there.
    expect([...(await file.read('odd'))]).toEqual([1, 1365 / 2048, -0])
    expect([file.shape('even'), ...(await file.read('even'))]).toEqual([[2, 1], Infinity, 3])
    await file.close()
  })
})
