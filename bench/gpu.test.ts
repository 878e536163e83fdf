import { execFile } from 'node:child_process'
import { access, mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { useSwiftShader } from '../engine/runtime/testing/swiftShader.ts'
import { gpuDocument } from './gpuDocument.ts'
import { readGpuResults, type GpuMeasurement } from './gpuResults.ts'

const noAdapter = useSwiftShader()
/** A Python with torch and transformers, where there is one. */
const python = process.env.PYTHON

const run = async (args: readonly string[]): Promise<GpuMeasurement> => {
  const out = join(await mkdtemp(join(tmpdir(), 'cald-gpu-')), 'gpu.json')
  await promisify(execFile)(process.execPath, ['--import', 'tsx', 'bench/gpu.ts', '--size', 'tiny', '--seconds', '0.05', '--rounds', '2', '--out', out, ...args])
  await access(out)
  return (await readGpuResults(out))[0]!
}

describe('bench/gpu.ts', () => {
  it.skipIf(noAdapter !== undefined)('runs end to end at a tiny size on a software adapter, without Python', { timeout: 300_000 }, async () => {
    const found = await run([])
    expect(found).toMatchObject({ device: 'SwiftShader', runtime: 'webgpu', size: 'tiny', batch: 2, frames: 39 })
    expect(found.training.map(({ name, type, milliseconds }) => [name, type, milliseconds.length])).toEqual([['ours', 'float32', 2]])
    // Logits of both models, an alignment loss a layer and the norm.
    expect(found.training[0]!.bytesRead).toBe(4 * (2 * 2 * 39 * 12 + 2 + 1))
    expect(found.training[0]!.deviceBytes).toBeGreaterThan(0)
    expect(found.recurrence.map(({ form, type, direction }) => `${form} ${type} ${direction}`)).toEqual(['forward', 'backward'].flatMap((direction) => ['operator', 'chunks of 4', 'chunks of 8'].map((form) => `${form} float32 ${direction}`)))
    for (const { milliseconds } of found.recurrence) for (const each of milliseconds) expect(each).toBeGreaterThan(0)
    expect(found.gflop).toBeGreaterThan(0)
    expect(found.missing).toEqual(['float16 on SwiftShader: the device has no float16 in its shaders (shader-f16)', 'PyTorch, without --python PYTHON'])
  })

  it.skipIf(python === undefined)('measures beside PyTorch where there is one', { timeout: 300_000 }, async () => {
    const found = await run(['--device', 'cpu', '--python', python!, '--torch-device', 'cpu'])
    expect(found.training.map(({ name, type }) => `${name} ${type}`)).toEqual(['ours float32', 'PyTorch bfloat16', 'PyTorch float32'])
    expect(found.missing.filter((each) => each.startsWith('PyTorch'))).toEqual([])
  })
})

describe('docs/gpu.md', () => {
  it('says what bench/gpu.json holds', async () => {
    expect(await readFile('docs/gpu.md', 'utf8')).toBe(gpuDocument(await readGpuResults()))
  })

  it('puts ours and PyTorch, and the forms of the recurrence, beside each other', () => {
    const measurement: GpuMeasurement = {
      device: 'G',
      runtime: 'webgpu',
      size: 'large',
      seconds: 10,
      batch: 2,
      frames: 499,
      command: 'C',
      gflop: 3000,
      matmulGflopPerSecond: 9000,
      training: [
        { name: 'ours', type: 'float32', version: '1', device: 'G', milliseconds: [400, 500, 600], deviceBytes: 8e9, bytesRead: 250_000 },
        { name: 'PyTorch', type: 'bfloat16', version: '2', device: 'H', milliseconds: [250, 200, 300], deviceBytes: 1e10 },
      ],
      recurrence: [
        { form: 'operator', type: 'float32', direction: 'forward', milliseconds: [2, 3, 4], processorMilliseconds: [4, 4, 4] },
        { form: 'chunks of 64', type: 'float32', direction: 'forward', milliseconds: [1, 1.5, 2], processorMilliseconds: [8, 5, 2] },
      ],
      missing: ['float16 on G: it has none'],
    }
    const text = gpuDocument([measurement])
    expect(text).toContain('| ours (1), float32 | G | 500.0 | 40.0 | 6.00 | 1.00 × | 8.00 GB | 0.25 MB |')
    expect(text).toContain('| PyTorch (2), bfloat16 | H | 250.0 | 80.0 | 12.00 | 2.00 × | 10.00 GB |  |')
    expect(text).toContain('| chunks of 64, float32 | forward | 1.50 | 2.00 × | 0.80 × |')
    expect(text).toContain('- Not measured: float16 on G: it has none.')
  })
})
