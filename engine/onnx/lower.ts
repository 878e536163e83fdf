import { addDims, convLength, evaluateShape, mulDims, subDims, variableName, type Graph, type Op, type Shape, type Value } from '../ir/index.ts'
import { plainAttention, tiledAttention } from './attention.ts'
import { convAttributes, convolvedWeightGradient, unfoldedWeightGradient } from './convolution.ts'
import { Emitter, type LengthInput } from './emitter.ts'
import type { FilePart, OnnxModel, OnnxValueInfo } from './model.ts'
import { precisionOf, type Precision } from './precision.ts'
import { plainProduct } from './product.ts'

/** Emits ONNX nodes for one operation, of the given float type, and returns the name of its result. */
export type LoweringRule<O extends Op> = (emitter: Emitter, value: Value<O>, inputs: readonly string[], precision: Precision) => string

const direct =
  <O extends Op>(type: string): LoweringRule<O> =>
  (emitter, _, inputs) =>
    emitter.emit(type, inputs)

const contrib = { domain: 'com.microsoft' }
const shapeOf = (value: Value, input: number): Shape => value.inputs[input]!.type.shape

/** Kernels up to this length are unfolded for the weight gradient: one matrix product; longer ones run as a convolution whose kernel is the gradient. */
const longestUnfoldedKernel = 16

/** A lowering of each operation. */
export type LoweringRules = { readonly [O in Op]: LoweringRule<O> }

/** Every operation has a lowering; device.test.ts runs each against the float64 reference. */
const loweringRules: LoweringRules = {
  input: (_, { params }) => params.name,
  constant: (emitter, { params, type }, _, precision) => {
    const shape = evaluateShape(type.shape, {})
    const filled = params.values.length === 1 ? new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(params.values[0]!) : params.values
    return emitter.constant(precision, filled, shape)
  },
  neg: direct('Neg'),
  exp: direct('Exp'),
  log: direct('Log'),
  sqrt: direct('Sqrt'),
  reciprocal: direct('Reciprocal'),
  erf: direct('Erf'),
  sigmoid: direct('Sigmoid'),
  softplus: direct('Softplus'),
  gelu: direct('Gelu'),
  add: direct('Add'),
  sub: direct('Sub'),
  mul: direct('Mul'),
  div: direct('Div'),
  select: direct('Where'),
  matmul: plainProduct,
  softmax: (emitter, _, inputs) => emitter.emit('Softmax', inputs, { axis: { int: -1 } }),
  layerNorm: (emitter, { params }, inputs) => emitter.emit('LayerNormalization', inputs, { axis: { int: -1 }, epsilon: { float: params.epsilon } }),
  instanceNorm: (emitter, { params }, inputs) => emitter.emit('InstanceNormalization', inputs, { epsilon: { float: params.epsilon } }),
  sum: (emitter, value, [x]) => {
    const { axes } = value.params
    const last = shapeOf(value, 0).length - 1
    // A full reduction in one go loses accuracy on the CPU: rows first, then their sums.
    if (axes.length > 1 && axes.includes(last)) return emitter.reduceSum(emitter.reduceSum(x!, [last]), axes.filter((axis) => axis !== last))
    return emitter.reduceSum(x!, axes)
  },
  cumulativeSum: (emitter, { params }, [x]) => emitter.emit('CumSum', [x!, emitter.constant('int32', [params.axis], [])], { reverse: { int: Number(params.reverse) } }),
  reshape: (emitter, value, [x]) => emitter.reshape(x!, shapeOf(value, 0), value.params.shape),
  transpose: (emitter, { params }, [x]) => emitter.transpose(x!, params.permutation),
  expand: (emitter, { params }, [x]) => emitter.emit('Expand', [x!, emitter.lengths(params.shape)]),
  slice: (emitter, value, [x]) => emitter.slice(x!, value.params.axis, shapeOf(value, 0)[value.params.axis]!, value.params.start, value.params.end),
  concat: (emitter, { params }, inputs) => emitter.emit('Concat', inputs, { axis: { int: params.axis } }),
  pad: (emitter, { params }, [x]) => emitter.pad(x!, params.axis, params.before, params.after),
  reverse: (emitter, { params }, [x]) => emitter.reverse(x!, params.axis),
  permuteRows: (emitter, _, inputs) => emitter.emit('Gather', inputs, { axis: { int: 0 } }),
  conv1d: (emitter, { params }, inputs) => emitter.emit('Conv', inputs, convAttributes(params)),
  conv1dInputGradient: (emitter, value, [gradient, weight]) => {
    const { params } = value
    const { stride, padBefore, padAfter, groups, time } = params
    const [, , kernel] = shapeOf(value, 1) as number[]
    const full = emitter.emit('ConvTranspose', [gradient!, weight!], { strides: { ints: [stride] }, group: { int: groups } })
    const padded = addDims(time, padBefore + padAfter)
    const covered = addDims(mulDims(stride, subDims(convLength(time, kernel!, params), 1)), kernel!)
    // Samples past the last full window touch no output: their gradient is zero.
    const complete = stride === 1 ? full : emitter.pad(full, 2, 0, subDims(padded, covered))
    return padBefore + padAfter === 0 ? complete : emitter.slice(complete, 2, padded, padBefore, addDims(padBefore, time))
  },
  conv1dWeightGradient: (emitter, value, [x, gradient]) => {
    const { params } = value
    const xShape = shapeOf(value, 0)
    return params.groups === 1 && params.kernel <= longestUnfoldedKernel
      ? unfoldedWeightGradient(emitter, x!, gradient!, xShape, shapeOf(value, 1)[2]!, params)
      : convolvedWeightGradient(emitter, x!, gradient!, xShape, params)
  },
  causalConv: (emitter, value, [x, weight]) => {
    const [channels, kernel] = shapeOf(value, 1) as number[]
    const perChannel = emitter.emit('Reshape', [weight!, emitter.int64s(channels!, 1, kernel!)])
    return emitter.emit('CausalConvWithState', [x!, perChannel], { channels_last: { int: 1 }, activation: { string: 'none' } }, { ...contrib, outputs: 2 })
  },
  // Other runtimes may have no tiled kernel for heads of odd sizes, as a mask makes them.
  attention: (emitter, value, inputs, precision) => (inputs.length === 4 ? plainAttention : tiledAttention)(emitter, value, inputs, precision),
  linearAttention: (emitter, { params }, [q, k, v, g]) =>
    emitter.emit(
      'LinearAttention',
      [q!, k!, v!, '', g!],
      { q_num_heads: { int: params.groups }, kv_num_heads: { int: params.heads }, update_rule: { string: 'gated' }, scale: { float: 1 } },
      { ...contrib, outputs: 2 },
    ),
}

const lowerNode = <O extends Op>(rules: LoweringRules, emitter: Emitter, value: Value<O>, inputs: readonly string[], precision: Precision): string =>
  rules[value.op](emitter, value, inputs, precision)

/** What a model takes, gives and keeps that its graph does not say. */
export interface LoweringOptions {
  readonly precision?: Precision
  /** Of a float16 model that trains: names of the inputs, float32 all the same, that are rounded where float16 computes with them; others keep what they meet in float32. */
  readonly weights?: ReadonlySet<string>
  /** What a device lowers otherwise. */
  readonly rules?: Partial<LoweringRules>
  /** Whether lengths come as inputs, `lengthInputs`, instead of being computed by nodes, which a GPU would leave to the CPU. */
  readonly lengthsAsInputs?: boolean
  readonly metadata?: Readonly<Record<string, string>>
  /** Inputs of the graph whose values the model keeps, or names a file for. */
  readonly parameters?: ReadonlyMap<string, Float32Array | FilePart>
  /** Inputs of the graph that nodes compute, from other inputs. */
  readonly computed?: Readonly<Record<string, (emitter: Emitter) => string>>
  /** Inputs that the graph does not have, for `computed`; after the graph's. */
  readonly extraInputs?: readonly OnnxValueInfo[]
  /** Outputs that the graph does not have. */
  readonly extraOutputs?: readonly { readonly info: OnnxValueInfo; readonly compute: (emitter: Emitter) => string }[]
  /** Whether a result is an output itself, and not its copy: faster on the CPU, where an identity copies what is wanted elsewhere too; wrong on WebGPU where an output takes an input's memory. */
  readonly directOutputs?: boolean
  /** Names of lengths that outputs have, by the key of their formula. */
  readonly lengthNames?: Readonly<Record<string, string>>
}

/** Lowers a graph's values one by one, each in the float type where it is computed, with casts where two meet. */
class Lowering {
  readonly #emitter: Emitter
  readonly #options: LoweringOptions
  readonly #rules: LoweringRules
  readonly #names = new Map<Value, Map<Precision, string>>()
  readonly #precisions = new Map<Value, Precision | undefined>()

  constructor(emitter: Emitter, options: LoweringOptions) {
    this.#emitter = emitter
    this.#options = options
    this.#rules = { ...loweringRules, ...options.rules }
  }

  /** Lowers a value whose inputs were settled; what may be computed anywhere waits until somebody wants it. */
  settle(value: Value): void {
    const precision = this.#options.precision === 'float16' ? precisionOf(value, (x) => this.#parameterOf(x) !== undefined || this.#isWeight(x), this.#precisions, this.#options.weights !== undefined) : 'float32'
    this.#precisions.set(value, precision)
    if (precision !== undefined) this.name(value, precision)
  }

  name(value: Value, wanted: Precision): string {
    const names = this.#names.get(value) ?? new Map<Precision, string>()
    this.#names.set(value, names)
    const home = value.type.dtype === 'float32' ? this.#homeOf(value, wanted) : 'float32'
    if (!names.has(home)) names.set(home, this.#lower(value, home))
    if (value.type.dtype !== 'float32') return names.get(home)!
    if (!names.has(wanted)) names.set(wanted, this.#emitter.cast(names.get(home)!, wanted))
    return names.get(wanted)!
  }

  /** Where a value is computed when it is wanted so; a parameter that is no mere vector is kept in the model's own type. */
  #homeOf(value: Value, wanted: Precision): Precision {
    const { precision = 'float32' } = this.#options
    if (this.#parameterOf(value) !== undefined && value.type.shape.length > 1) return precision
    if (this.#isWeight(value)) return 'float32'
    return this.#precisions.get(value) ?? wanted
  }

  #lower(value: Value, precision: Precision): string {
    const values = this.#parameterOf(value)
    if (values !== undefined) return this.#emitter.tensor(this.#tensorName(value, precision), precision, evaluateShape(value.type.shape, {}), values)
    const computed = value.op === 'input' ? this.#options.computed?.[(value as Value<'input'>).params.name] : undefined
    if (computed !== undefined) return computed(this.#emitter)
    return lowerNode(this.#rules, this.#emitter, value, value.inputs.map((x) => this.name(x, precision)), precision)
  }

  #isWeight(value: Value): boolean {
    return value.op === 'input' && (this.#options.weights?.has((value as Value<'input'>).params.name) ?? false)
  }

  #parameterOf(value: Value): Float32Array | FilePart | undefined {
    return value.op === 'input' ? this.#options.parameters?.get((value as Value<'input'>).params.name) : undefined
  }

  /** A vector that is wanted in both types is kept in both. */
  #tensorName(value: Value, precision: Precision): string {
    const { name } = (value as Value<'input'>).params
    return this.#names.get(value)!.size === 0 ? name : `${name}.${precision}`
  }
}

/** The graph as an ONNX model; outputs carry the graph's output names. */
export const lower = (graph: Graph, options: LoweringOptions = {}): OnnxModel & { readonly lengthInputs: readonly LengthInput[] } => {
  const { metadata = {}, parameters, computed = {}, extraInputs = [], extraOutputs = [], lengthNames = {}, directOutputs = false } = options
  const given = graph.inputs.filter(({ params: { name } }) => !(parameters?.has(name) ?? false) && !(name in computed))
  const emitter = new Emitter(given.map(({ params, type }) => ({ name: params.name, shape: type.shape })), options)
  const lowering = new Lowering(emitter, options)
  for (const value of graph.nodes) lowering.settle(value)
  // What comes from outside, or is two outputs, needs an identity all the same.
  const renamed = new Map<string, string>()
  const made = (): Set<string> => new Set(emitter.nodes.flatMap(({ outputs }) => outputs))
  const finish = (name: string, result: string): void => {
    if (directOutputs && made().has(result) && !renamed.has(result)) renamed.set(result, name)
    else emitter.nodes.push({ type: 'Identity', domain: '', inputs: [result], outputs: [name], attributes: {} })
  }
  for (const [name, value] of Object.entries(graph.outputs)) finish(name, lowering.name(value, 'float32'))
  for (const { info, compute } of extraOutputs) finish(info.name, compute(emitter))
  const nameOf = (name: string): string => renamed.get(name) ?? name
  return {
    name: graph.name,
    nodes: emitter.nodes.map((node) => ({ ...node, inputs: node.inputs.map(nameOf), outputs: node.outputs.map(nameOf) })),
    constants: emitter.constants,
    inputs: [
      ...given.map((value) => valueInfo(value.params.name, value, lengthNames)),
      ...emitter.lengthInputs.map(({ name, dims }): OnnxValueInfo => ({ name, type: 'int64', shape: [dims.length] })),
      ...extraInputs,
    ],
    lengthInputs: emitter.lengthInputs,
    outputs: [...Object.entries(graph.outputs).map(([name, value]) => valueInfo(name, value, lengthNames)), ...extraOutputs.map(({ info }) => info)],
    metadata,
  }
}

const valueInfo = (name: string, { type }: Value, lengthNames: Readonly<Record<string, string>>): OnnxValueInfo => ({
  name,
  type: type.dtype,
  shape: type.shape.map((dim) => (typeof dim === 'number' ? dim : (lengthNames[dim.key] ?? variableName(dim) ?? dim.key))),
})
