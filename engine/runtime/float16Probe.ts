import { gradients } from '../autodiff/index.ts'
import { add, gelu, graph, input, layerNorm, linearAttention, matmul, mul, neg, scalar, sigmoid, softmax, softplus, variable, type Graph } from '../ir/index.ts'
import { CounterRandom } from '../random.ts'
import { float32, type Device } from './device.ts'

const [batch, time, channels, heads] = [2, 48, 128, 4] as const

/** What a layer of a student is made of, in small, with the gradients of its input and a weight: a product, a norm, the recurrence with its gates, a residual, a softmax. */
const trainingProgram = (): Graph => {
  const x = input('x', [variable('batch'), variable('time'), channels])
  const [w, b] = [input('w', [channels, channels]), input('b', [channels])]
  const projected = add(matmul(x, w), b)
  const gates = input('gates', [variable('batch'), variable('time'), heads])
  const mixed = linearAttention(projected, mul(projected, scalar(0.1)), mul(projected, sigmoid(projected)), neg(softplus(gates)), { heads, groups: heads })
  const y = add(x, matmul(gelu(layerNorm(mixed, b, b, 1e-5)), w))
  const z = mul(softmax(y), scalar(channels))
  const [dx, dw] = gradients([{ value: z, gradient: input('dz', z.type.shape) }], [x, w])
  return graph('float16 probe', { z, dx: dx!, dw: dw! })
}

const values = (name: string, length: number, scale: number): Float32Array => {
  const random = new CounterRandom(1, name)
  return Float32Array.from({ length }, () => scale * (random.nextFloat() - 0.5))
}

/** Results of the training program, each over its own root mean square. */
const train = async (device: Device, float16: boolean): Promise<Float32Array[]> => {
  const program = await device.compile(trainingProgram(), float16 ? { float16: { weights: new Set(['w', 'b']) } } : {})
  const states = batch * time * channels
  const fed = {
    x: float32(values('x', states, 2), [batch, time, channels]),
    w: float32(values('w', channels * channels, 0.3), [channels, channels]),
    b: float32(values('b', channels, 1).map((value) => 1 + value), [channels]),
    gates: float32(values('gates', batch * time * heads, 2), [batch, time, heads]),
    dz: float32(values('dz', states, 2), [batch, time, channels]),
  }
  const inputs = Object.fromEntries(await Promise.all(Object.entries(fed).map(async ([name, tensor]) => [name, await device.upload(tensor)] as const)))
  const outputs = await program.run(inputs)
  const results: Float32Array[] = []
  for (const name of ['z', 'dx', 'dw']) {
    const data = (await device.read(outputs[name]!)).data as Float32Array
    const size = Math.sqrt(data.reduce((total, value) => total + value * value, 0) / data.length)
    results.push(data.map((value) => value / size))
  }
  await device.dispose()
  return results
}

/**
 * How far results of a training program in float16 on one device are from those in float32 on another: the root mean square of the difference
 * over that of the result, for the worst result. Disposes of both.
 */
export const float16Difference = async (narrow: Device, wide: Device): Promise<number> => {
  const [found, expected] = [await train(narrow, true), await train(wide, false)]
  const apart = expected.map((data, i) => Math.sqrt(data.reduce((total, value, j) => total + (value - found[i]![j]!) ** 2, 0) / data.length))
  const difference = Math.max(...apart)
  return Number.isFinite(difference) ? difference : 1e9
}
