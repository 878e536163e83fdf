import * as ir from '../ir/index.ts'
import type { Dim, Value } from '../ir/index.ts'

export interface ChunkedShape {
  readonly heads: number
  readonly groups: number
  /** Steps that are computed together. */
  readonly chunk: number
}

/** Takes what must not count out of a sum of exponentials. */
const never = -1e30
/** The same as a slope: added where an index is not below another, times how far it is above it, and half a step. */
const steep = 1e6

/**
 * Gated linear attention as `ir.linearAttention`, as matrix products over chunks of time (the state-space duality of Dao & Gu 2024, section 6):
 * inside a chunk every step attends to those before it, weighted by the decay between them; what is older comes by the state before the chunk,
 * which is a weighted sum over earlier chunks. Its gradient is that of its parts.
 */
export const chunkedLinearAttention = (q: Value, k: Value, v: Value, g: Value, { heads, groups, chunk }: ChunkedShape): Value => {
  const [batch, time] = v.type.shape as [Dim, Dim, number]
  const [size, width] = [(q.type.shape[2] as number) / groups, (v.type.shape[2] as number) / heads]
  const perGroup = heads / groups
  const chunks = ir.floorDivDim(ir.addDims(time, chunk - 1), chunk)
  const all = ir.mulDims(batch, chunks)
  /** [batch, time, parts·n] as [batch·chunks, parts, chunk, n], zero behind the end. */
  const inChunks = (x: Value, parts: number): Value => {
    const whole = ir.pad(x, 1, 0, ir.subDims(ir.mulDims(chunks, chunk), time))
    return ir.transpose(ir.reshape(whole, [all, chunk, parts, (x.type.shape[2] as number) / parts]), [0, 2, 1, 3])
  }
  const [qs, ks, vs] = [inChunks(q, groups), inChunks(k, groups), inChunks(v, heads)]

  // Σ of the decays up to each step of its chunk, [batch·chunks, heads, chunk, 1], by a product: a running sum is slow on a GPU.
  const upTo = ir.constant(triangle(chunk, (row, column) => Number(column <= row)), [chunk, chunk])
  const passed = ir.matmul(upTo, inChunks(g, heads))
  const passedRow = ir.transpose(passed, [0, 1, 3, 2])
  const later = ir.constant(triangle(chunk, (row, column) => (column <= row ? 0 : never)), [chunk, chunk])
  const decay = ir.exp(ir.add(ir.sub(passed, passedRow), later))
  const scores = ir.matmul(qs, ks, { transposeB: true })
  const weighted = ir.mul(ir.reshape(scores, [all, groups, 1, chunk, chunk]), ir.reshape(decay, [all, groups, perGroup, chunk, chunk]))
  const inside = ir.matmul(ir.reshape(weighted, [all, heads, chunk, chunk]), vs)

  // What a chunk adds to the state at its end: [batch·chunks, groups, size, perGroup·width].
  const total = ir.slice(passed, 2, chunk - 1, chunk)
  const byGroup = (x: Value): Value => ir.reshape(ir.transpose(ir.reshape(x, [all, groups, perGroup, chunk, width]), [0, 1, 3, 2, 4]), [all, groups, chunk, perGroup * width])
  const added = ir.matmul(ks, byGroup(ir.mul(vs, ir.exp(ir.sub(total, passed)))), { transposeA: true })

  // The state before each chunk: Σ over earlier ones of what they added, by the decay of the chunks between.
  const perHead = ir.reshape(ir.transpose(ir.reshape(added, [all, groups, size, perGroup, width]), [0, 1, 3, 2, 4]), [batch, chunks, heads, size * width])
  const columns = ir.transpose(perHead, [0, 2, 1, 3])
  const totals = ir.transpose(ir.reshape(total, [batch, chunks, heads, 1]), [0, 2, 1, 3])
  const ends = ir.cumulativeSum(totals, 2)
  const starts = ir.sub(ends, totals)
  const index = ir.cumulativeSum(ir.expand(ir.constant([1], [1, 1, 1, 1]), [1, 1, chunks, 1]), 2)
  const ahead = ir.sub(index, ir.transpose(index, [0, 1, 3, 2]))
  const notBefore = ir.neg(ir.softplus(ir.mul(ir.sub(ir.scalar(0.5), ahead), ir.scalar(steep))))
  const between = ir.exp(ir.add(ir.sub(starts, ir.transpose(ends, [0, 1, 3, 2])), notBefore))
  const carried = ir.transpose(ir.matmul(between, columns), [0, 2, 1, 3])

  const states = ir.reshape(ir.transpose(ir.reshape(carried, [all, groups, perGroup, size, width]), [0, 1, 3, 2, 4]), [all, groups, size, perGroup * width])
  const recalled = ir.reshape(ir.transpose(ir.reshape(ir.matmul(qs, states), [all, groups, chunk, perGroup, width]), [0, 1, 3, 2, 4]), [all, heads, chunk, width])
  const across = ir.mul(recalled, ir.exp(passed))
  const out = ir.reshape(ir.transpose(ir.add(inside, across), [0, 2, 1, 3]), [batch, ir.mulDims(chunks, chunk), heads * width])
  return ir.slice(out, 1, 0, time)
}

const triangle = (size: number, of: (row: number, column: number) => number): number[] => Array.from({ length: size * size }, (_, i) => of(Math.floor(i / size), i % size))
