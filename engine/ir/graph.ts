import { GraphError } from '../errors.ts'
import { evaluateShape, formatDim, formatShape, sameShape, variableName, type Bindings, type Shape } from './dim.ts'
import { formatType, inferenceRules } from './infer.ts'
import { narrow } from './build.ts'
import type { Op, OpParams, Value } from './ops.ts'

/** Named outputs and everything they reach. */
export interface Graph {
  readonly name: string
  readonly inputs: readonly Value<'input'>[]
  readonly outputs: Readonly<Record<string, Value>>
  /** Every node once, each after its inputs. */
  readonly nodes: readonly Value[]
}

/** Every node that the outputs reach, each after its inputs. */
export const topologicalOrder = (outputs: readonly Value[]): Value[] => {
  const order: Value[] = []
  const seen = new Set<Value>()
  // An explicit stack: a deep model has longer chains than the call stack.
  const stack: { value: Value; entered: boolean }[] = outputs.map((value) => ({ value, entered: false })).reverse()
  while (stack.length > 0) {
    const { value, entered } = stack.pop()!
    if (entered) {
      order.push(value)
    } else if (!seen.has(value)) {
      seen.add(value)
      stack.push({ value, entered: true })
      for (let i = value.inputs.length - 1; i >= 0; i--) stack.push({ value: value.inputs[i]!, entered: false })
    }
  }
  return order
}

/** Collects and verifies a graph; GraphError says which rule it breaks, with the printed graph's name. */
export const graph = (name: string, outputs: Readonly<Record<string, Value>>): Graph => {
  const nodes = topologicalOrder(Object.values(outputs))
  const inputs = nodes.filter((value): value is Value<'input'> => value.op === 'input')
  const built = { name, inputs, outputs, nodes }
  verify(built)
  return built
}

const infer = <O extends Op>(value: Value<O>) => inferenceRules[value.op](value.params, value.inputs.map((x) => x.type), value.type)

/** Input names are unique, every type is what the inference table says, every length is carried by an input's axis. */
export const verify = (built: Graph): void => {
  const complain = (message: string): never => {
    throw new GraphError(`graph ${built.name}: ${message}`)
  }
  const bound = new Set<string>()
  const names = new Set<string>()
  for (const value of built.inputs) {
    if (names.has(value.params.name)) complain(`two inputs are named '${value.params.name}'`)
    names.add(value.params.name)
    for (const dim of value.type.shape) {
      const variable = variableName(dim)
      if (variable !== undefined) bound.add(variable)
    }
  }
  const placed = new Set<Value>()
  for (const value of built.nodes) {
    if (value.inputs.some((x) => !placed.has(x))) complain(`${value.op} stands before one of its inputs`)
    placed.add(value)
    const inferred = infer(value)
    if (inferred.dtype !== value.type.dtype || !sameShape(inferred.shape, value.type.shape)) {
      complain(`${value.op}: expected ${formatType(inferred)}, got ${formatType(value.type)}`)
    }
    const constant = narrow(value)
    if (constant.op === 'constant') {
      const { values } = constant.params
      const size = constant.type.shape.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : complain('a constant has a symbolic shape')), 1)
      if (values.length !== 1 && values.length !== size) complain(`constant: expected 1 or ${size} values, got ${values.length}`)
    }
    for (const variable of variablesOf(value.type.shape)) if (!bound.has(variable)) complain(`length '${variable}' of ${value.op} is no input's axis`)
  }
}

const variablesOf = (shape: Shape): string[] =>
  shape.flatMap((dim) => {
    if (typeof dim === 'number') return []
    const names: string[] = []
    const visit = (terms: typeof dim.terms): void => {
      for (const atom of terms.flatMap((term) => term.atoms)) {
        if (atom.kind === 'variable') names.push(atom.key)
        else visit(atom.numerator.terms)
      }
    }
    visit(dim.terms)
    return names
  })

/** Binds the graph's lengths to those of given inputs; GraphError names an input that does not fit. */
export const bindShapes = (built: Graph, shapes: Readonly<Record<string, readonly number[] | undefined>>): Bindings => {
  const bindings: Record<string, number> = {}
  const mismatch = (value: Value<'input'>, found: readonly number[] | undefined): never => {
    throw new GraphError(`graph ${built.name}: input '${value.params.name}' expected ${formatType(value.type)}, got ${found === undefined ? 'nothing' : formatShape(found)}`)
  }
  for (const value of built.inputs) {
    const found = shapes[value.params.name]
    if (found?.length !== value.type.shape.length) mismatch(value, found)
    value.type.shape.forEach((dim, axis) => {
      const variable = variableName(dim)
      if (variable !== undefined) bindings[variable] ??= found![axis]!
    })
  }
  for (const value of built.inputs) {
    const found = shapes[value.params.name]!
    if (!sameShape(evaluateShape(value.type.shape, bindings), found)) mismatch(value, found)
  }
  return bindings
}

const formatParam = (param: unknown): string => {
  if (Array.isArray(param)) return param.length > 8 ? `[${param.length} values]` : `[${param.map(formatParam).join(', ')}]`
  if (typeof param === 'object' && param !== null && 'key' in param) return formatDim(param as Parameters<typeof formatDim>[0])
  return String(param)
}

const formatParams = (params: OpParams[Op]): string =>
  Object.entries(params)
    .filter(([, param]) => param !== false)
    .map(([name, param]) => `${name}=${formatParam(param)}`)
    .join(' ')

/** One line a node: `%3 = matmul(%1, %2) transposeB=true : float32[batch, 8]`. */
export const print = (built: Graph): string => {
  const number = new Map(built.nodes.map((value, i) => [value, `%${i}`]))
  const lines = built.nodes.map((value) => {
    const params = formatParams(value.params)
    return `  ${number.get(value)!} = ${value.op}(${value.inputs.map((x) => number.get(x)!).join(', ')})${params && ' '}${params} : ${formatType(value.type)}`
  })
  const outputs = Object.entries(built.outputs).map(([name, value]) => `${name}=${number.get(value)!}`)
  return [`graph ${built.name} {`, ...lines, `  return ${outputs.join(', ')}`, '}'].join('\n')
}
