import { describe, expect, it } from 'vitest'
import { chooseDevice, judge, probeDevices } from './probe.ts'
import { useSwiftShader } from './testing/swiftShader.ts'

const noAdapter = useSwiftShader()
const right = { difference: 1e-6, seconds: 0.001, cpuSeconds: 0.01, software: null }

describe('judging what a probe of webgpu found', () => {
  it('prefers an adapter that is right and faster than the cpu', () => {
    expect(judge(right, 'NVIDIA')).toEqual({ name: 'webgpu', usable: true, preferred: true, reason: '', adapter: 'NVIDIA' })
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

describe('choosing a device', () => {
  it('always has the cpu', async () => {
    expect(await chooseDevice('cpu')).toMatchObject({ name: 'cpu', usable: true, reason: '' })
  })

  it.skipIf(noAdapter !== undefined)('finds a software adapter usable, and auto goes by it', { timeout: 120_000 }, async () => {
    const [webgpu, cpu] = await probeDevices()
    expect(cpu!.usable).toBe(true)
    expect(webgpu).toMatchObject({ name: 'webgpu', usable: true, preferred: false, adapter: 'SwiftShader' })
    expect((await chooseDevice('webgpu')).name).toBe('webgpu')
    expect(await chooseDevice('auto')).toMatchObject({ name: 'cpu', usable: true })
    expect((await chooseDevice('auto')).reason).toMatch(/^webgpu: /)
  })
})
