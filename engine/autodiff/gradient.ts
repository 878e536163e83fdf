import { GraphError } from '../errors.ts'
import { add, formatShape, sameShape, topologicalOrder, type Op, type Value } from '../ir/index.ts'
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
  const total = new Map<Value, Value>()
  const contribute = (value: Value, gradient: Value, from: string): void => {
    if (!sameShape(value.type.shape, gradient.type.shape)) {
      throw new GraphError(`gradient of ${from}: expected ${formatShape(value.type.shape)} for its ${value.op} input, got ${formatShape(gradient.type.shape)}`)
    }
    const known = total.get(value)
    total.set(value, known === undefined ? gradient : add(known, gradient))
  }
  for (const { value, gradient } of seeds) contribute(value, gradient, 'a seed')

  const order = topologicalOrder(seeds.map((seed) => seed.value))
  const needed = dependents(order, wrt)
  for (const value of order.reverse()) {
    const gradient = total.get(value)
    if (gradient === undefined || !needed.has(value) || value.inputs.length === 0) continue
    const perInput = inputGradients(value, gradient)
    if (perInput.length !== value.inputs.length) throw new GraphError(`gradient of ${value.op}: expected ${value.inputs.length} gradients, got ${perInput.length}`)
    perInput.forEach((contribution, i) => {
      const x = value.inputs[i]!
      if (contribution !== undefined && needed.has(x)) contribute(x, contribution, value.op)
    })
  }
  return wrt.map((value) => {
    const gradient = total.get(value)
    if (gradient === undefined) throw new GraphError(`gradient: expected a path from the seeds to every value asked for, found none to ${describe(value)}`)
    return gradient
  })
}

const describe = (value: Value): string => (value.op === 'input' ? `input '${(value as Value<'input'>).params.name}'` : value.op)

/** The nodes of a topological order that lead to one of `roots`; only these need gradients. */
const dependents = (order: readonly Value[], roots: readonly Value[]): Set<Value> => {
  const reached = new Set(roots)
  for (const value of order) if (value.inputs.some((x) => reached.has(x))) reached.add(value)
  return reached
}
