import { GraphError } from '../errors.ts'
import { add, addDims, concat, formatShape, sameDim, sameShape, topologicalOrder, type Dim, type Op, type Value } from '../ir/index.ts'
import { gradientRules } from './rules.ts'

/** A value and the gradient of the objective with respect to it (same shape). */
export interface Seed {
  readonly value: Value
  readonly gradient: Value
}

const inputGradients = <O extends Op>(value: Value<O>, gradient: Value) => gradientRules[value.op](value, gradient)

/**
 * Reverse-mode differentiation: the gradient of Σ seeds ⟨gradient, value⟩ with respect to each of `wrt`, as new graph nodes.
 * GraphError when a seed does not fit its value, a rule returns a wrong shape, or nothing connects a `wrt` to the seeds.
 */
export const gradients = (seeds: readonly Seed[], wrt: readonly Value[]): Value[] => {
  const contributions = new Map<Value, Value[]>()
  const contribute = (value: Value, gradient: Value, from: string): void => {
    if (!sameShape(value.type.shape, gradient.type.shape)) {
      throw new GraphError(`gradient of ${from}: expected ${formatShape(value.type.shape)} for its ${value.op} input, got ${formatShape(gradient.type.shape)}`)
    }
    contributions.set(value, [...(contributions.get(value) ?? []), gradient])
  }
  for (const { value, gradient } of seeds) contribute(value, gradient, 'a seed')

  const order = topologicalOrder(seeds.map((seed) => seed.value))
  const needed = dependents(order, wrt)
  const totals = new Map<Value, Value>()
  const totalOf = (value: Value): Value | undefined => {
    const parts = contributions.get(value)
    if (parts !== undefined && !totals.has(value)) totals.set(value, sumOf(parts))
    return totals.get(value)
  }
  for (const value of order.reverse()) {
    const gradient = totalOf(value)
    if (gradient === undefined || !needed.has(value) || value.inputs.length === 0) continue
    const perInput = inputGradients(value, gradient)
    if (perInput.length !== value.inputs.length) throw new GraphError(`gradient of ${value.op}: expected ${value.inputs.length} gradients, got ${perInput.length}`)
    perInput.forEach((contribution, i) => {
      const x = value.inputs[i]!
      if (contribution !== undefined && needed.has(x)) contribute(x, contribution, value.op)
    })
  }
  return wrt.map((value) => {
    const gradient = totalOf(value)
    if (gradient === undefined) throw new GraphError(`gradient: expected a path from the seeds to every value asked for, found none to ${describe(value)}`)
    return gradient
  })
}

/** The sum of what reaches a value on several paths. Gradients of slices that together are the whole value are laid end to end instead of padded with zeros and added. */
const sumOf = (parts: readonly Value[]): Value => laidEndToEnd(parts) ?? parts.reduce((a, b) => add(a, b))

const isPad = (value: Value): value is Value<'pad'> => value.op === 'pad'

const laidEndToEnd = (parts: readonly Value[]): Value | undefined => {
  const pads = parts.filter(isPad)
  const [{ axis } = { axis: undefined }] = pads.map(({ params }) => params)
  if (axis === undefined || pads.length < parts.length || pads.some(({ params }) => params.axis !== axis)) return undefined
  const laid: Value[] = []
  for (let end: Dim = 0; laid.length < pads.length; ) {
    const next = pads.find(({ params }) => sameDim(params.before, end))
    if (next === undefined) return undefined
    laid.push(next.inputs[0]!)
    end = addDims(end, next.inputs[0]!.type.shape[axis]!)
    if (laid.length === pads.length && !sameDim(next.params.after, 0)) return undefined
  }
  return concat(laid, axis)
}

const describe = (value: Value): string => (value.op === 'input' ? `input '${(value as Value<'input'>).params.name}'` : value.op)

/** The nodes of a topological order that lead to one of `roots`; only these need gradients. */
const dependents = (order: readonly Value[], roots: readonly Value[]): Set<Value> => {
  const reached = new Set(roots)
  for (const value of order) if (value.inputs.some((x) => reached.has(x))) reached.add(value)
  return reached
}
