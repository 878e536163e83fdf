import { largestFloat16, toFloat16 } from '../float16.ts'
import { foldDim, formatShape, sameDim, subDims, variableName, type Dim, type Shape } from '../ir/index.ts'
import { elementTypes, type Attributes, type FilePart, type OnnxNode, type OnnxTensor, type OnnxType } from './model.ts'

/** Slice's ends and starts that mean "to the end" and, walking backwards, "past the first". */
const farEnd = 0x7fffffffffffffffn
const farStart = -0x7fffffffffffffffn

const encoders: { readonly [T in OnnxType]: (values: readonly (number | bigint)[]) => ArrayBufferView } = {
  float32: (values) => Float32Array.from(values, Number),
  // A score that means "never" must stay finite: a row of nothing but infinities has no softmax.
  float16: (values) => toFloat16(Float32Array.from(values, (value) => Math.min(Math.max(Number(value), -largestFloat16), largestFloat16))),
  int32: (values) => Int32Array.from(values, Number),
  int64: (values) => BigInt64Array.from(values, BigInt),
  bool: (values) => Uint8Array.from(values, Number),
}

/** Files hold float32 alone. */
const bytesOf = (type: 'float32' | 'float16', values: Float32Array | FilePart): Uint8Array | FilePart => {
  if (!(values instanceof Float32Array)) {
    if (type === 'float32') return values
    throw new TypeError(`${values.path}: a part of a file can be no float16 tensor`)
  }
  const view = type === 'float32' ? values : toFloat16(values)
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

/** An input of the model, whose axes bind the lengths. */
interface LengthCarrier {
  readonly name: string
  readonly shape: Shape
}

/** An int64 input that says lengths which follow from the inputs' shapes. */
export interface LengthInput {
  readonly name: string
  readonly dims: Shape
}

/** Collects ONNX nodes and constants, and turns symbolic lengths into shape tensors. */
export class Emitter {
  readonly nodes: OnnxNode[] = []
  readonly constants: OnnxTensor[] = []
  /** Lengths that whoever runs the model works out; empty unless asked for. */
  readonly lengthInputs: LengthInput[] = []
  readonly #lengthCarriers: readonly LengthCarrier[]
  readonly #constantNames = new Map<string, string>()
  readonly #lengths = new Map<string, string>()
  readonly #lengthsAsInputs: boolean

  constructor(lengthCarriers: readonly LengthCarrier[], { lengthsAsInputs = false } = {}) {
    this.#lengthCarriers = lengthCarriers
    this.#lengthsAsInputs = lengthsAsInputs
  }

  /** Adds a node and returns the name of its first output. */
  emit(type: string, inputs: readonly string[], attributes: Attributes = {}, { domain = '', outputs = 1 } = {}): string {
    const names = Array.from({ length: outputs }, (_, i) => `n${this.nodes.length}${i === 0 ? '' : `_${i}`}`)
    this.nodes.push({ type, domain, inputs, outputs: names, attributes })
    return names[0]!
  }

  constant(type: OnnxType, values: readonly (number | bigint)[], shape: readonly number[] = [values.length]): string {
    const key = `${type}${formatShape(shape)}:${values.join(',')}`
    const known = this.#constantNames.get(key)
    if (known !== undefined) return known
    const name = `c${this.constants.length}`
    const view = encoders[type](values)
    this.constants.push({ name, type, shape, data: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) })
    this.#constantNames.set(key, name)
    return name
  }

  /** A tensor that the model keeps, under its own name. */
  tensor(name: string, type: 'float32' | 'float16', shape: readonly number[], values: Float32Array | FilePart): string {
    this.constants.push({ name, type, shape, data: bytesOf(type, values) })
    return name
  }

  cast(x: string, to: OnnxType): string {
    return this.emit('Cast', [x], { to: { int: elementTypes[to] } })
  }

  int64s(...values: (number | bigint)[]): string {
    return this.constant('int64', values)
  }

  /** An int64 tensor of one element that holds the length when the model runs. */
  length(dim: Dim): string {
    if (this.#lengthsAsInputs && typeof dim !== 'number') return this.#lengthInput([dim])
    return foldDim<string>(dim, {
      constant: (value) => this.int64s(value),
      variable: (name) => this.#variable(name),
      add: (a, b) => this.emit('Add', [a, b]),
      mul: (a, b) => this.emit('Mul', [a, b]),
      // ONNX divides towards zero; lengths and their numerators are not negative.
      floorDiv: (a, divisor) => this.emit('Div', [a, this.int64s(divisor)]),
    })
  }

  lengths(dims: Shape): string {
    if (dims.every((dim) => typeof dim === 'number')) return this.int64s(...dims)
    if (this.#lengthsAsInputs) return this.#lengthInput(dims)
    return dims.length === 1 ? this.length(dims[0]!) : this.emit('Concat', dims.map((dim) => this.length(dim)), { axis: { int: 0 } })
  }

  reshape(x: string, from: Shape, to: Shape): string {
    // 0 copies the input's length and −1 takes what is left, so most shapes need no arithmetic when the model runs.
    const spec = to.map((dim, axis) => (typeof dim === 'number' ? dim : axis < from.length && sameDim(dim, from[axis]!) ? 0 : -1))
    const simple = spec.filter((length) => length === -1).length <= 1 && !to.includes(0)
    return this.emit('Reshape', [x, simple ? this.int64s(...spec) : this.lengths(to)])
  }

  transpose(x: string, permutation: readonly number[]): string {
    return this.emit('Transpose', [x], { perm: { ints: permutation } })
  }

  /** x[start:end:step] along one axis of the given length. */
  slice(x: string, axis: number, length: Dim, start: Dim, end: Dim, step = 1): string {
    const position = (at: Dim): string => {
      if (typeof at === 'number') return this.int64s(at)
      const fromEnd = subDims(at, length)
      return typeof fromEnd === 'number' && fromEnd <= 0 ? this.int64s(fromEnd === 0 ? farEnd : fromEnd) : this.length(at)
    }
    return this.emit('Slice', [x, position(start), position(end), this.int64s(axis), this.int64s(step)])
  }

  reverse(x: string, axis: number): string {
    return this.emit('Slice', [x, this.int64s(-1), this.int64s(farStart), this.int64s(axis), this.int64s(-1)])
  }

  pad(x: string, axis: number, before: Dim, after: Dim): string {
    return before === 0 && after === 0 ? x : this.emit('Pad', [x, this.lengths([before, after]), '', this.int64s(axis)])
  }

  reduceSum(x: string, axes: readonly number[], keep = true): string {
    return this.emit('ReduceSum', [x, this.int64s(...axes)], { keepdims: { int: keep ? 1 : 0 } })
  }

  #lengthInput(dims: Shape): string {
    const name = `length${formatShape(dims)}`
    if (!this.lengthInputs.some((input) => input.name === name)) this.lengthInputs.push({ name, dims })
    return name
  }

  #variable(name: string): string {
    const known = this.#lengths.get(name)
    if (known !== undefined) return known
    for (const { name: input, shape } of this.#lengthCarriers) {
      const axis = shape.findIndex((dim) => variableName(dim) === name)
      if (axis < 0) continue
      const length = this.emit('Shape', [input], { start: { int: axis }, end: { int: axis + 1 } })
      this.#lengths.set(name, length)
      return length
    }
    throw new TypeError(`length '${name}' is bound by no input, which verify() should have found`)
  }
}
