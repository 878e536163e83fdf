import { evaluateShape, type Bindings } from './dim.ts'
import type { Graph } from './graph.ts'
import type { Op, Value } from './ops.ts'

const elementwise: ReadonlySet<Op> = new Set(['neg', 'exp', 'log', 'sqrt', 'reciprocal', 'erf', 'sigmoid', 'softplus', 'gelu', 'add', 'sub', 'mul', 'div', 'select', 'softmax'])

const bytesOf = ({ op, type }: Value, bindings: Bindings): number => {
  if (op === 'input' || op === 'constant') return 0
  return (type.dtype === 'bool' ? 1 : 4) * evaluateShape(type.shape, bindings).reduce((a, b) => a * b, 1)
}

/**
 * The most bytes that a graph's own results hold at once, in its order of nodes: a result is freed behind its last reader, an elementwise operation writes over an operand of its
 * size that is read no more, and a reshape is another view. Inputs and constants belong to others.
 */
export const peakLiveBytes = (graph: Graph, bindings: Bindings): number => {
  const readers = new Map<Value, number>()
  for (const node of graph.nodes) for (const x of new Set(node.inputs)) readers.set(x, (readers.get(x) ?? 0) + 1)
  for (const output of Object.values(graph.outputs)) readers.set(output, (readers.get(output) ?? 0) + 1)
  /** Bytes that each value holds; a view holds none of its own, and keeps those of what it views. */
  const held = new Map<Value, number>()
  let live = 0
  let peak = 0
  for (const node of graph.nodes) {
    const dying = [...new Set(node.inputs)].filter((x) => readers.get(x) === 1)
    const bytes = bytesOf(node, bindings)
    const overwritten = node.op === 'reshape' || elementwise.has(node.op) ? dying.find((x) => held.get(x) === bytes) : undefined
    if (overwritten === undefined) live += bytes
    else held.set(overwritten, 0)
    held.set(node, bytes)
    peak = Math.max(peak, live)
    for (const x of new Set(node.inputs)) {
      const left = readers.get(x)! - 1
      readers.set(x, left)
      if (left > 0) continue
      live -= held.get(x) ?? 0
      held.set(x, 0)
    }
  }
  return peak
}
