import { concat, graph, input, pad, reshape, slice, substitute, type Graph, type Value } from '../../ir/index.ts'
import type { ParameterPlace } from '../../models/index.ts'

/** Columns of a packed tensor; its last row ends in zeros. Two sums, along rows and down, keep accuracy where one would not. */
export const packedWidth = 1024

export const packedRows = (size: number): number => Math.ceil(size / packedWidth)

const sizeOf = (places: readonly ParameterPlace[]): number => places.reduce((total, { size }) => total + size, 0)

/** The names that packed parameters and gradients have as input and output of a program. */
export const [packedParameters, packedGradient] = ['parameters', 'gradient']

/**
 * A stage's program with all its parameters as one input, [rows, packedWidth], and their gradients as one output of that shape, zero where the
 * program computes none: what takes time there is the number of tensors, not of their elements.
 */
export const packed = (built: Graph, places: readonly ParameterPlace[]): Graph => {
  const size = sizeOf(places)
  if (size === 0) return built
  const rows = packedRows(size)
  const start = places[0]!.offset
  const flat = reshape(input(packedParameters, [rows, packedWidth]), [rows * packedWidth])
  const parts = new Map<string, Value>(places.map((place) => [place.local, reshape(slice(flat, 0, place.offset - start, place.offset - start + place.size), place.shape)]))
  const outputs = substitute(built.outputs, (value) => (value.op === 'input' ? parts.get((value as Value<'input'>).params.name) : undefined))
  const others = Object.fromEntries(Object.entries(outputs).filter(([name]) => !name.startsWith('d.')))
  const gradient = packedGradients(outputs, places, rows * packedWidth)
  return graph(built.name, gradient === undefined ? others : { ...others, [packedGradient]: reshape(gradient, [rows, packedWidth]) })
}

/** The outputs `d.<parameter>` laid end to end, with zeros for those that are missing and behind the last; undefined when there are none. */
const packedGradients = (outputs: Readonly<Record<string, Value>>, places: readonly ParameterPlace[], length: number): Value | undefined => {
  const start = places[0]?.offset ?? 0
  const present = places.flatMap((place) => {
    const value = outputs[`d.${place.local}`]
    return value === undefined ? [] : [{ value: reshape(value, [place.size]), from: place.offset - start, to: place.offset - start + place.size }]
  })
  if (present.length === 0) return undefined
  const filled = present.map(({ value, from }, i) => {
    const before = from - (present[i - 1]?.to ?? 0)
    return before === 0 ? value : pad(value, 0, before, 0)
  })
  const joined = concat(filled, 0)
  const after = length - present.at(-1)!.to
  return after === 0 ? joined : pad(joined, 0, 0, after)
}

/** Which of a stage's parameters stand where in a flat vector of all, as a view. */
export const stageView = (vector: Float32Array, places: readonly ParameterPlace[]): Float32Array => {
  const start = places[0]?.offset ?? 0
  return vector.subarray(start, start + sizeOf(places))
}
