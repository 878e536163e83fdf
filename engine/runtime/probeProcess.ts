import { messageOf } from '../errors.ts'
import { parentProcess } from '../processes/index.ts'
import { CounterRandom } from '../random.ts'
import { add, gelu, graph, input, matmul, variable } from '../ir/index.ts'
import { softwareDriver } from './adapter.ts'
import { float32, type Device } from './device.ts'
import { float16Difference } from './float16Probe.ts'
import { openCpu } from './onnxruntime.ts'
import type { Float16Answer, ProbeAnswer } from './probe.ts'
import { openWebGpu } from './webgpu.ts'

const [rows, width] = [512, 512]

const noise = (name: string): Float32Array => {
  const random = new CounterRandom(1, name)
  return Float32Array.from({ length: rows * width }, () => random.nextFloat() - 0.5)
}

/** The result of a probe graph, and the seconds of the fastest of a few runs. */
const measure = async (device: Device): Promise<{ result: ArrayLike<number>; seconds: number }> => {
  const x = input('x', [variable('rows'), width])
  const program = await device.compile(graph('probe', { y: add(gelu(matmul(x, input('w', [width, width]))), x) }))
  const inputs = { x: await device.upload(float32(noise('x'), [rows, width])), w: await device.upload(float32(noise('w'), [width, width])) }
  let seconds = Infinity
  let result: ArrayLike<number> = []
  for (let i = 0; i < 4; i++) {
    const started = performance.now()
    const { y } = await program.run(inputs)
    // Without reading the result, the time would be that of asking for it.
    result = (await device.read(y!)).data
    seconds = Math.min(seconds, (performance.now() - started) / 1000)
    y!.dispose()
  }
  for (const tensor of Object.values(inputs)) tensor.dispose()
  await device.dispose()
  return { result, seconds }
}

const tryFloat16 = async (): Promise<Float16Answer> => {
  try {
    return { difference: await float16Difference(openWebGpu(), openCpu(1)) }
  } catch (error) {
    return { error: messageOf(error) }
  }
}

/** Tries WebGPU beside the CPU, for `probe`: in a process of its own, because a driver may hang or abort. */
const answer = async (): Promise<ProbeAnswer> => {
  const found = await measure(openWebGpu())
  const expected = await measure(openCpu(1))
  let difference = 0
  for (let i = 0; i < expected.result.length; i++) {
    const distance = Math.abs(expected.result[i]! - found.result[i]!)
    difference = distance <= difference ? difference : distance
  }
  return { difference: Number.isFinite(difference) ? difference : 1e9, seconds: found.seconds, cpuSeconds: expected.seconds, software: softwareDriver() ?? null, float16: await tryFloat16() }
}

answer()
  .catch((error: unknown): ProbeAnswer => ({ error: messageOf(error) }))
  .then((result) => parentProcess().send(result))
  .catch((error: unknown) => {
    throw error
  })
