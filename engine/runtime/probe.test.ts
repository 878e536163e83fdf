import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { float16Difference } from './float16Probe.ts'
import { openCpu } from './onnxruntime.ts'
import { chooseDevice, choosePrecision, judge, largestFloat16Difference, probeDevices } from './probe.ts'
import { useSwiftShader } from './testing/swiftShader.ts'

const noAdapter = useSwiftShader()
const right = { difference: 1e-6, seconds: 0.001, cpuSeconds: 0.01, software: null, float16: { difference: 1e-3 } }

describe('judging what a probe of webgpu found', () => {
  it('prefers an adapter that is right and faster than the cpu', () => {
    expect(judge(right, 'NVIDIA')).toEqual({ name: 'webgpu', usable: true, preferred: true, reason: '', adapter: 'NVIDIA', float16: { usable: true, reason: '' } })
  })

  it('refuses wrong results, and errors, with their reason', () => {
    expect(judge({ ...right, difference: 0.06 }, undefined)).toMatchObject({ usable: false, preferred: false, reason: 'a probe graph gives another result than on the CPU (off by 6.0e-2)' })
    expect(judge({ ...right, difference: NaN }, undefined)).toMatchObject({ usable: false })
    expect(judge({ error: '--device webgpu: expected an adapter, found none' }, undefined)).toMatchObject({ usable: false, reason: 'expected an adapter, found none' })
  })

  it('leaves an adapter that is slower than the cpu to those who name it', () => {
    expect(judge({ ...right, seconds: 0.02 }, undefined)).toMatchObject({ usable: true, preferred: false, reason: 'a probe graph takes 20.0 ms there, 10.0 ms on one thread of the CPU' })
    expect(judge({ ...right, software: 'SwiftShader' }, undefined)).toMatchObject({ usable: true, preferred: false, adapter: 'SwiftShader' })
  })
})

describe('float16 for training', () => {
  it('is chosen where the device computes it rightly, and else refused with the reason', () => {
    const unable = judge({ ...right, float16: { error: 'Program Cast requires f16 but the device does not support it.' } }, 'NVIDIA')
    expect(unable).toMatchObject({ usable: true, preferred: true, float16: { usable: false, reason: 'the device has no float16 in its shaders (shader-f16)' } })
    expect(judge({ ...right, float16: { difference: 0.3 } }, undefined).float16.reason).toBe('a probe program in float16 gives another result than in float32 on the CPU (off by 3.0e-1)')
    expect(choosePrecision('auto', judge(right, undefined))).toBe('float16')
    expect(choosePrecision('float32', judge(right, undefined))).toBe('float32')
    expect(choosePrecision('auto', unable)).toBe('float32')
    expect(() => choosePrecision('float16', unable)).toThrow(UsageError)
    expect(() => choosePrecision('float16', unable)).toThrow('--precision float16 on device webgpu: the device has no float16 in its shaders (shader-f16)')
  })

  it('is what the probe finds right on the cpu, and finds different from float32', async () => {
    const difference = await float16Difference(openCpu(1), openCpu(1))
    console.log(`float16 probe on the cpu: off by ${difference.toExponential(1)}`)
    expect(difference).toBeLessThan(largestFloat16Difference / 2)
    expect(difference).toBeGreaterThan(1e-5)
  })
})

describe('choosing a device', () => {
  it('always has the cpu', async () => {
    expect(await chooseDevice('cpu')).toMatchObject({ name: 'cpu', usable: true, reason: '' })
  })

  it.skipIf(noAdapter !== undefined)('finds a software adapter usable, and auto goes by it', { timeout: 120_000 }, async () => {
    const [webgpu, cpu] = await probeDevices()
    expect(cpu!.usable).toBe(true)
    expect(webgpu).toMatchObject({ name: 'webgpu', usable: true, preferred: false, adapter: 'SwiftShader', float16: { usable: false, reason: 'the device has no float16 in its shaders (shader-f16)' } })
    expect((await chooseDevice('webgpu')).name).toBe('webgpu')
    expect(await chooseDevice('auto')).toMatchObject({ name: 'cpu', usable: true })
    expect((await chooseDevice('auto')).reason).toMatch(/^webgpu: /)
  })
})
