import { UsageError } from '../errors.ts'
import type { Precision } from '../onnx/index.ts'
import { launch } from '../processes/index.ts'
import { graphicsName, mayHaveGraphics } from './adapter.ts'
import type { DeviceName } from './device.ts'

/** What the probing process answers. */
export type ProbeAnswer =
  | {
      /** Largest distance of a probe graph's result from the CPU's. */
      readonly difference: number
      /** Of a run, on WebGPU and on one thread of the CPU. */
      readonly seconds: number
      readonly cpuSeconds: number
      /** The driver, where it computes on the CPU. */
      readonly software: string | null
      /** The same of a training program in float16. */
      readonly float16: Float16Answer
    }
  | { readonly error: string }

/** What can be said of a device on this machine. */
export interface DeviceState {
  readonly name: DeviceName
  /** Whether it opens and computes as the CPU does. */
  readonly usable: boolean
  /** Whether `auto` chooses it before those that stand after it. */
  readonly preferred: boolean
  /** Why it is not usable, or not preferred; empty when it is. */
  readonly reason: string
  /** What it is called, where that is known. */
  readonly adapter: string | undefined
  readonly float16: Float16State
}

/** A driver that has not answered by then hangs. */
const limitMilliseconds = 60_000
/** Of results about 1: float32 rounding stays a hundred times below. */
const largestDifference = 1e-3

/** A program in float16 on WebGPU beside float32 on the CPU. */
export type Float16Answer = { readonly difference: number } | { readonly error: string }

/** Whether training programs can compute in float16, and why not. */
export interface Float16State {
  readonly usable: boolean
  readonly reason: string
}

/** Of results about 1, after a product of some hundred terms, its gradient, and casts between the types. */
export const largestFloat16Difference = 2e-2

const judgeFloat16 = (answer: Float16Answer): Float16State => {
  const refuse = (reason: string): Float16State => ({ usable: false, reason })
  if ('error' in answer) return refuse(/requires f16|shader-f16|ShaderF16/.test(answer.error) ? 'the device has no float16 in its shaders (shader-f16)' : answer.error)
  if (!(answer.difference <= largestFloat16Difference)) return refuse(`a probe program in float16 gives another result than in float32 on the CPU (off by ${answer.difference.toExponential(1)})`)
  return { usable: true, reason: '' }
}

/** What an answer of the probing process means. */
export const judge = (answer: ProbeAnswer, graphics: string | undefined): DeviceState => {
  const refuse = (reason: string): DeviceState => ({ name: 'webgpu', adapter: graphics, float16: { usable: false, reason }, usable: false, preferred: false, reason })
  if ('error' in answer) return refuse(answer.error.replace(/^--device webgpu: /, ''))
  const { difference, seconds, cpuSeconds, software } = answer
  const state = { name: 'webgpu', adapter: graphics, float16: judgeFloat16(answer.float16) } as const
  if (!(difference <= largestDifference)) return refuse(`a probe graph gives another result than on the CPU (off by ${difference.toExponential(1)})`)
  if (software !== null) return { ...state, adapter: software, usable: true, preferred: false, reason: `${software} computes on the CPU, slower than the device cpu` }
  if (seconds > cpuSeconds) return { ...state, usable: true, preferred: false, reason: `a probe graph takes ${(1000 * seconds).toFixed(1)} ms there, ${(1000 * cpuSeconds).toFixed(1)} ms on one thread of the CPU` }
  return { ...state, usable: true, preferred: true, reason: '' }
}

/** Asks probeProcess.ts; whatever becomes of it, this process goes on. */
const ask = (): Promise<ProbeAnswer> =>
  new Promise((resolve) => {
    let answer: ProbeAnswer | undefined
    const child = launch(new URL('./probeProcess', import.meta.url), {
      onMessage: (message) => {
        answer = message as ProbeAnswer
        child.kill()
      },
      onEnd: (how) => {
        clearTimeout(timer)
        resolve(answer ?? { error: late ? `the driver did not answer within ${limitMilliseconds / 1000} s` : `the driver ended the process that tried it (${how})` })
      },
    })
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill()
    }, limitMilliseconds)
  })

let probed: Promise<DeviceState> | undefined

const probeWebGpu = (): Promise<DeviceState> => (probed ??= ask().then((answer) => judge(answer, graphicsName())))

const cpu: DeviceState = { name: 'cpu', usable: true, preferred: true, reason: '', adapter: undefined, float16: { usable: false, reason: 'the CPU computes float16 slower than float32' } }

/** Every device, best first: whether it is usable here, or why not. Tried once a process, WebGPU in a process of its own. */
export const probeDevices = async (): Promise<DeviceState[]> => [await probeWebGpu(), cpu]

/** The device that a job asked for, and why it is not a better one. UsageError when the one named cannot be used. */
export const chooseDevice = async (name: 'auto' | DeviceName): Promise<DeviceState> => {
  if (name === 'cpu') return cpu
  if (name === 'auto' && !mayHaveGraphics()) return { ...cpu, reason: 'webgpu: there is no graphics device' }
  const webgpu = await probeWebGpu()
  if (name === 'auto') return webgpu.preferred ? webgpu : { ...cpu, reason: `webgpu: ${webgpu.reason}` }
  if (!webgpu.usable) throw new UsageError(`--device webgpu: ${webgpu.reason}`)
  return webgpu
}

/** Float type for the programs of a training: float16 where the device computes it rightly. UsageError when the one named cannot be used. */
export const choosePrecision = (asked: 'auto' | Precision, { name, float16 }: DeviceState): Precision => {
  if (asked === 'float16' && !float16.usable) throw new UsageError(`--precision float16 on device ${name}: ${float16.reason}`)
  return asked === 'auto' ? (float16.usable ? 'float16' : 'float32') : asked
}
