import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { CheckpointError, OutputError, WriteError } from '../errors.ts'
import { LineLog, openSafetensors, requireEmptyFolder, sha256Of, sha256OfFile, writeFileAtomic, writeFolderAtomic, writeSafetensors } from './index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cald-checkpoint-'))
})
let files = 0
const fresh = (): string => join(folder, String(++files))

/** A safetensors file of a header and data bytes. */
const stored = async (header: unknown, data: Uint8Array): Promise<string> => {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + data.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  bytes.set(data, 8 + text.length)
  const path = fresh()
  await writeFile(path, bytes)
  return path
}
const half = (...bits: number[]): Uint8Array => new Uint8Array(Uint16Array.from(bits).buffer)

describe('safetensors', () => {
  it('reads back what it wrote, whatever the names and shapes', async () => {
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__' && name !== '__proto__'), shape, { maxKeys: 5 }), async (shapes) => {
        const tensors = Object.entries(shapes).map(([name, lengths], t) => ({ name, shape: lengths, data: Float32Array.from({ length: lengths.reduce((a, b) => a * b, 1) }, (_, i) => t + i / 7) }))
        const path = fresh()
        await writeSafetensors(path, tensors, { metadata: { format: 'pt' } })
        const bytes = await readFile(path)
        expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0)
        const file = await openSafetensors(path)
        expect(file.metadata).toEqual({ format: 'pt' })
        expect(file.names().sort()).toEqual(tensors.map(({ name }) => name).sort())
        for (const { name, shape: lengths, data } of tensors) {
          expect(file.shape(name)).toEqual(lengths)
          expect(await file.read(name)).toEqual(data)
        }
        await file.close()
      }),
      { numRuns: 30 },
    )
  })

  it('reads half, bfloat16 and double precision', async () => {
    // IEEE 754 binary16: 1, −2, the largest, the smallest subnormal, infinity; bfloat16 is the upper half of a float32.
    const path = await stored(
      { h: { dtype: 'F16', shape: [5], data_offsets: [0, 10] }, b: { dtype: 'BF16', shape: [2], data_offsets: [10, 14] }, d: { dtype: 'F64', shape: [1], data_offsets: [14, 22] } },
      Uint8Array.from([...half(0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00), ...half(0x3f80, 0xc049), ...new Uint8Array(Float64Array.of(Math.PI).buffer)]),
    )
    const file = await openSafetensors(path)
    expect([...(await file.read('h'))]).toEqual([1, -2, 65504, 2 ** -24, Infinity])
    expect([...(await file.read('b'))]).toEqual([1, -3.140625])
    expect((await file.read('d'))[0]).toBe(Math.fround(Math.PI))
    await file.close()
  })

  it.each([
    ['{', new Uint8Array(), 'expected a JSON header'],
    ['[1]', new Uint8Array(), 'expected a JSON object'],
    [{ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, new Uint8Array(4), 'tensor x: expected data up to byte 8, found 4: the file is truncated'],
    [{ x: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, new Uint8Array(4), 'tensor x: expected 8 bytes for its shape, found 4'],
    [{ x: { dtype: 'F31', shape: [2], data_offsets: [0, 8] } }, new Uint8Array(8), 'tensor x: expected dtype'],
    [{ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] }, y: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4), 'tensor y: expected its data at byte 4, found 0'],
    [{}, new Uint8Array(3), 'expected 0 bytes of tensor data, found 3'],
  ])('refuses %j', async (header, data, message) => {
    const path = await stored(header, data)
    await expect(openSafetensors(path)).rejects.toThrow(message)
    await expect(openSafetensors(path)).rejects.toBeInstanceOf(CheckpointError)
  })
})

describe('writing', () => {
  it('leaves the old file and nothing else when it fails half-way', async () => {
    const inner = fresh()
    await mkdir(inner)
    const path = join(inner, 'file')
    await writeFileAtomic(path, 'old')
    const failing = function* (): Generator<Uint8Array> {
      yield new Uint8Array(10)
      throw new Error('no space left on device')
    }
    await expect(writeFileAtomic(path, failing())).rejects.toThrow(`${path}: expected to write it, found no space left on device; nothing was replaced`)
    await expect(writeFileAtomic(path, failing())).rejects.toBeInstanceOf(WriteError)
    expect(await readdir(inner)).toEqual(['file'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('makes a folder complete or not at all, replaces one when told to, and clears what a killed run left', async () => {
    const inner = fresh()
    await mkdir(join(inner, 'model.unfinished-stale'), { recursive: true })
    const path = join(inner, 'model')
    const fill = (text: string) => (temporary: string) => writeFileAtomic(join(temporary, 'a'), text)
    await writeFolderAtomic(path, fill('one'))
    await expect(writeFolderAtomic(path, fill('two'))).rejects.toBeInstanceOf(OutputError)
    await expect(writeFolderAtomic(path, () => Promise.reject(new Error('disk full')), { replace: true })).rejects.toThrow('disk full')
    expect(await readFile(join(path, 'a'), 'utf8')).toBe('one')
    await writeFolderAtomic(path, fill('two'), { replace: true })
    expect(await readFile(join(path, 'a'), 'utf8')).toBe('two')
    expect(await readdir(inner)).toEqual(['model'])
  })

  it('requires an empty folder', async () => {
    const path = fresh()
    await requireEmptyFolder(path)
    await mkdir(path)
    await requireEmptyFolder(path)
    await writeFile(join(path, 'x'), '')
    await expect(requireEmptyFolder(path)).rejects.toThrow('found 1 entries, x among them')
  })

  it('cuts a log to where a checkpoint knows it', async () => {
    const path = fresh()
    const log = await LineLog.open(path, 0)
    await log.append('first')
    const kept = log.bytes
    await log.append('second')
    await log.close()
    const again = await LineLog.open(path, kept)
    await again.append('third')
    await again.close()
    expect(await readFile(path, 'utf8')).toBe('first\nthird\n')
  })
})

describe('sha256', () => {
  it('is that of FIPS 180-2, for views and files', async () => {
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    expect(sha256Of(Uint8Array.of(97), Uint8Array.of(98, 99))).toBe(abc)
    const path = fresh()
    await writeFile(path, 'abc')
    expect(await sha256OfFile(path)).toBe(abc)
  })
})
