import type { Value } from '../ir/index.ts'
import type { Emitter } from './emitter.ts'

const contrib = { domain: 'com.microsoft' }

const ranksOf = ({ inputs: [a, b] }: Value<'matmul'>): readonly [number, number] => [a!.type.shape.length, b!.type.shape.length]

/** Standard operators; of more than two axes a transposed operand is transposed by a node of its own. */
export const plainProduct = (emitter: Emitter, value: Value<'matmul'>, inputs: readonly string[]): string => {
  const [a, b] = inputs as [string, string]
  const { transposeA, transposeB } = value.params
  const ranks = ranksOf(value)
  if (ranks[0] === 2 && ranks[1] === 2) return emitter.emit('Gemm', [a, b], { transA: { int: Number(transposeA) }, transB: { int: Number(transposeB) } })
  const swap = (x: string, rank: number): string => emitter.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2])
  return emitter.emit('MatMul', [transposeA ? swap(a, ranks[0]) : a, transposeB ? swap(b, ranks[1]) : b])
}

/** With a transposed weight as it stands: ONNX Runtime would make a transposed copy of one that it keeps, before it lays it out for its products. */
export const weightedProduct = (emitter: Emitter, value: Value<'matmul'>, inputs: readonly string[]): string => {
  const { transposeA, transposeB } = value.params
  const [rank, weightRank] = ranksOf(value)
  const fits = rank > 2 && weightRank === 2 && transposeB && !transposeA && value.inputs[1]!.op === 'input'
  return fits ? emitter.emit('FusedMatMul', inputs, { transB: { int: 1 } }, contrib) : plainProduct(emitter, value, inputs)
}
