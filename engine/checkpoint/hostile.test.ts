import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { existsSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.ts'
import { openTensors } from './index.ts'
import { parseStrictJson } from './strictJson.ts'
import { attacks } from './testing/attacks.ts'
import { pickle, torchOf } from './testing/build.ts'
import { hammer } from './testing/hammer.ts'
import { memorySource } from './testing/memory.ts'
import { subjects } from './testing/subjects.ts'
import { readTensor } from './tensorSource.ts'
import { readTorch } from './torch.ts'

interface AttackResults {
  results: { name: string; seconds: number; error: string | null; message: string }[]
  peakBytes: number
}

const imports = ['--import', 'tsx', '--max-old-space-size=128']
const attackAll = new URL('testing/attackAll.ts', import.meta.url).pathname

describe('hostile files', () => {
  it('each attack made by hand ends in its named error, within a second; all of them within 256 MB, and nothing was executed', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [...imports, attackAll], { maxBuffer: 2 ** 24 })
    const { results, peakBytes } = JSON.parse(stdout) as AttackResults
    expect(results.length).toBe(attacks.length)
    results.forEach(({ name, error, message, seconds }, i) => {
      expect(message, name).toContain(attacks[i]!.message)
      expect(error, name).toBe('CheckpointError')
      expect(message.includes('\n'), name).toBe(false)
      expect(message.length, name).toBeLessThan(600)
      expect(seconds, name).toBeLessThan(1)
    })
    console.log(`${results.length} attacks, slowest ${(1000 * Math.max(...results.map(({ seconds }) => seconds))).toFixed(0)} ms, ${(peakBytes / 2 ** 20).toFixed(0)} MB at the peak`)
    expect(peakBytes).toBeLessThan(256 * 2 ** 20)
    expect(existsSync('/tmp/executed')).toBe(false)
  })

  it('mutations of real files open or end in a named error (npm run fuzz makes many more)', async () => {
    const { failures, opened, messages, mutations } = await hammer(await subjects(), 2, 0, 2000)
    expect(failures).toEqual([])
    expect(opened).toBeLessThan(mutations / 2)
    expect(messages.size).toBeGreaterThan(50)
  })

  it('refuses a pickle without an archive, and a pipe, by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cald-hostile-'))
    const bare = join(folder, 'old.bin')
    await writeFile(bare, pickle.run(pickle.global('os', 'system')))
    await expect(openTensors(bare)).rejects.toThrow('found a bare pickle (PyTorch before 1.6)')
    await promisify(execFile)('mkfifo', [join(folder, 'pipe.bin')])
    await expect(openTensors(join(folder, 'pipe.bin'))).rejects.toThrow('expected a weights file, found something that is not a regular file')
  })
})

describe('views of a storage', () => {
  const storage = Float32Array.from({ length: 24 }, (_, i) => i)
  const opened = (shape: number[], stride: number[], offset = 0) =>
    readTorch(memorySource(torchOf(pickle.run(pickle.dictionary({ w: pickle.tensor('0', 24, shape, stride, offset) })), { 0: new Uint8Array(storage.buffer) })))

  it('come out in row-major order, whatever their strides', async () => {
    const axis = fc.record({ length: fc.integer({ min: 0, max: 3 }), stride: fc.integer({ min: 0, max: 4 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(axis, { maxLength: 3 }), fc.integer({ min: 0, max: 23 }), async (axes, offset) => {
        const [shape, stride] = [axes.map(({ length }) => length), axes.map((each) => each.stride)]
        const places = axes.reduce<number[]>((starts, { length, stride: step }) => starts.flatMap((start) => Array.from({ length }, (_, i) => start + i * step)), [offset])
        if (places.some((place) => place > 23)) await expect(opened(shape, stride, offset)).rejects.toBeInstanceOf(CheckpointError)
        else expect([...(await readTensor(await opened(shape, stride, offset), 'w'))]).toEqual(places)
      }),
      { numRuns: 200 },
    )
  })

  it('must cover most of what they span', async () => {
    const large = new Uint8Array(4 * 3_000_000)
    const source = await readTorch(memorySource(torchOf(pickle.run(pickle.dictionary({ w: pickle.tensor('0', 3_000_000, [2], [2_999_999]) })), { 0: large })))
    await expect(source.readInto('w', new Float32Array(2))).rejects.toThrow('tensor w: expected a view of most of its storage')
  })
})

describe('parseStrictJson', () => {
  const bounds = { depth: 100, values: 10_000 }

  it('gives what JSON.parse gives', () => {
    fc.assert(fc.property(fc.json(), (text) => { expect(parseStrictJson(text, bounds)).toEqual(JSON.parse(text)) }))
  })

  it('refuses what JSON.parse refuses', () => {
    const parses = (parse: () => unknown): boolean => {
      try {
        parse()
        return true
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError)
        return false
      }
    }
    // No keys: JSON.parse takes one that stands twice.
    const pieces = fc.array(fc.constantFrom('[', ']', ',', '1', '-', '0', '.5', 'e3', '"', '\\n', '\\u00e', 'x', 'true', 'null', ' ', '\t', '{}', '\u0001'), { maxLength: 8 })
    fc.assert(fc.property(pieces, (parts) => { const text = parts.join(''); expect(parses(() => parseStrictJson(text, bounds)), text).toBe(parses(() => JSON.parse(text) as unknown)) }), { numRuns: 3000 })
  })
})
