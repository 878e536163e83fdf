import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gradients } from '../autodiff/index.ts'
import { GraphError, OutOfMemoryError, RuntimeError } from '../errors.ts'
import { add, addDims, evaluateReference, graph, input, matmul, neg, variable, type Dense, type Graph, type Op } from '../ir/index.ts'
import { instantiate, operationCases, randomSequence } from '../ir/testing/operationCases.ts'
import { bool, float32, int32, openDevice, type Device, type HostTensor } from './index.ts'
import { useSwiftShader } from './testing/swiftShader.ts'

const noAdapter = useSwiftShader()
if (noAdapter !== undefined) console.log(`device webgpu is skipped: ${noAdapter}`)

const hostTensor = ({ shape, data }: Dense, built: Graph, name: string): HostTensor => {
  const dtype = built.inputs.find(({ params }) => params.name === name)!.type.dtype
  if (dtype === 'bool') return bool(Uint8Array.from(data), shape)
  return dtype === 'int32' ? int32(Int32Array.from(data), shape) : float32(Float32Array.from(data), shape)
}

const runOn = async (device: Device, built: Graph, inputs: Record<string, Dense>): Promise<Record<string, HostTensor>> => {
  const program = await device.compile(built)
  const fed = await Promise.all(built.inputs.map(async ({ params: { name } }) => [name, await device.upload(hostTensor(inputs[name]!, built, name))] as const))
  const outputs = await program.run(Object.fromEntries(fed))
  const read = await Promise.all(Object.entries(outputs).map(async ([name, tensor]) => [name, await device.read(tensor)] as const))
  await program.dispose()
  return Object.fromEntries(read)
}

/** Inputs in float32 precision, so that only the arithmetic differs. */
const rounded = (inputs: Record<string, Dense>): Record<string, Dense> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, data: data.map(Math.fround) }]))

/** The case with its gradients as further outputs: what the trainer runs. */
const withGradients = (built: Graph): Graph => {
  const wrt = built.inputs.filter((value) => value.type.dtype === 'float32')
  const y = built.outputs.y!
  const results = gradients([{ value: y, gradient: input('cotangent', y.type.shape) }], wrt)
  return graph(built.name, { y, ...Object.fromEntries(wrt.map((value, i) => [`d_${value.params.name}`, results[i]!])) })
}

for (const name of ['cpu', 'webgpu'] as const) {
  describe.skipIf(name === 'webgpu' && noAdapter !== undefined)(`device ${name}`, () => {
    let device: Device
    beforeAll(() => {
      device = openDevice(name, { threads: 2 })
    })
    afterAll(() => device.dispose())

    for (const op of Object.keys(operationCases) as Op[]) {
      for (const operationCase of operationCases[op]) {
        it(`computes ${op} ${operationCase.title}, and its gradient, as the float64 reference does`, async () => {
          const { graph: forward, inputs } = instantiate(op, operationCase, 3)
          const shape = evaluateReference(forward, inputs).y!.shape
          const cotangent: Dense = { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, randomSequence(9)) }
          const built = withGradients(forward)
          const fed = rounded({ ...inputs, cotangent })
          const expected = evaluateReference(built, fed)
          const found = await runOn(device, built, fed)
          for (const [output, { shape: lengths, data }] of Object.entries(expected)) {
            expect(found[output]!.shape, output).toEqual(lengths)
            const largest = Math.max(1e-3, ...data.map(Math.abs))
            data.forEach((value, i) => expect(Math.abs(value - found[output]!.data[i]!) / largest, `${output}[${i}]: ${value} and ${found[output]!.data[i]}`).toBeLessThan(2e-6))
          }
        })
      }
    }

    it('runs one graph at several lengths', async () => {
      const n = variable('n')
      const built = graph('lengths', { y: matmul(input('x', [n, 2]), input('w', [2, 2])) })
      const program = await device.compile(built)
      const w = await device.upload(float32(Float32Array.of(1, 2, 3, 4), [2, 2]))
      for (const rows of [1, 5, 3]) {
        const x = await device.upload(float32(new Float32Array(rows * 2).fill(1), [rows, 2]))
        const { y } = await program.run({ x, w })
        expect([...(await device.read(y!)).data]).toEqual(Array.from({ length: rows }, () => [4, 6]).flat())
        y!.dispose()
      }
    })

    it('may put outputs into memory that is handed in, and gives them all the same', async () => {
      const left = input('a', [variable('n'), 2])
      const program = await device.compile(graph('memory', { y: add(left, input('b', [2])), z: neg(left) }))
      const [a, b] = [await device.upload(float32(Float32Array.of(1, 2, 3, 4), [2, 2])), await device.upload(float32(Float32Array.of(10, 20), [2]))]
      const memory = new Float32Array(6)
      const { y, z } = await program.run({ a, b }, { y: memory.subarray(1, 5), other: new Float32Array(3) })
      expect([...(await device.read(y!)).data]).toEqual([11, 22, 13, 24])
      expect([...(await device.read(z!)).data]).toEqual([-1, -2, -3, -4])
      if (device.name === 'cpu') expect([...memory]).toEqual([0, 11, 22, 13, 24, 0])
    })

    it('names the input that is missing or does not fit, and what it expected', async () => {
      const n = variable('n')
      const program = await device.compile(graph('fit', { y: add(input('a', [n, 2]), input('b', [n, 2])) }))
      const a = await device.upload(float32(new Float32Array(6), [3, 2]))
      const b = await device.upload(float32(new Float32Array(4), [2, 2]))
      await expect(program.run({ a })).rejects.toThrow("graph fit: input 'b' expected float32[n, 2], got nothing")
      await expect(program.run({ a, b })).rejects.toThrow("graph fit: input 'b' expected float32[n, 2], got [2, 2]")
      await expect(program.run({ a })).rejects.toBeInstanceOf(GraphError)
    })

    it('says when there is no memory for a result', async () => {
      const [n, m] = [variable('n'), variable('m')]
      const program = await device.compile(graph('vast', { y: add(input('a', [n, 1]), input('b', [1, m])) }))
      const lengths = 2 ** 23
      const [a, b] = [await device.upload(float32(new Float32Array(lengths), [lengths, 1])), await device.upload(float32(new Float32Array(lengths), [1, lengths]))]
      await expect(program.run({ a, b })).rejects.toBeInstanceOf(OutOfMemoryError)
    })

    it('counts the bytes of live tensors, if it has a memory of its own', async () => {
      const n = variable('n')
      const program = await device.compile(graph('counted', { y: add(input('a', [n]), input('b', [n])) }))
      const before = device.liveBytes
      const a = await device.upload(float32(new Float32Array(25), [25]))
      const { y } = await program.run({ a, b: a })
      expect(device.liveBytes - before).toBe(name === 'webgpu' ? 200 : 0)
      for (const tensor of [a, y!, y!]) tensor.dispose()
      expect(device.liveBytes).toBe(before)
    })

    it('refuses a program that was disposed of, and goes on after a failed run', async () => {
      const n = variable('n')
      const program = await device.compile(graph('again', { y: add(input('a', [n]), input('a2', [n])) }))
      const a = await device.upload(float32(Float32Array.of(1), [1]))
      await expect(program.run({ a })).rejects.toThrow()
      expect((await device.read((await program.run({ a, a2: a })).y!)).data[0]).toBe(2)
      await program.dispose()
      await expect(program.run({ a, a2: a })).rejects.toBeInstanceOf(RuntimeError)
    })
  })
}

describe('graph', () => {
  it('refuses two inputs of one name and lengths that nothing binds', () => {
    expect(() => graph('twice', { y: add(input('a', [2]), input('a', [2])) })).toThrow("two inputs are named 'a'")
    expect(() => graph('unbound', { y: input('a', [addDims(variable('n'), 1)]) })).toThrow("length 'n'")
  })
})
