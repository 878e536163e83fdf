import type { Dim, Shape } from './dim.ts'

/**
 * Every operation the engine knows, with the type of its parameters.
 * A new one is needed only when no composition of these is right or fast enough on every device; adding it here makes the
 * compiler ask for its shape rule (infer.ts), its plain evaluation (reference.ts), its gradient (autodiff/rules.ts) and its lowering (onnx/lower.ts).
 */
export interface OpParams {
  /** A tensor handed in when the graph runs. */
  input: { name: string }
  /** Values in row-major order; a single value fills the whole shape. */
  constant: { values: readonly number[] }

  neg: None
  exp: None
  log: None
  sqrt: None
  reciprocal: None
  erf: None
  sigmoid: None
  softplus: None
  /** x·Φ(x), the exact form. */
  gelu: None

  /** Elementwise with NumPy broadcasting, as are sub, mul and div. */
  add: None
  sub: None
  mul: None
  div: None
  /** (condition: bool, a, b): a where the condition holds, else b; broadcasts. */
  select: None

  /** Over the last two axes, leading axes broadcast; a transposed operand is read as if its last two axes were swapped. */
  matmul: { transposeA: boolean; transposeB: boolean }
  /** Over the last axis. */
  softmax: None
  /** (x, weight, bias) over the last axis: (x − mean)/√(variance + epsilon)·weight + bias. */
  layerNorm: { epsilon: number }
  /** (x: [batch, channels, time], weight, bias: [channels]) over time: (x − mean)/√(variance + epsilon)·weight + bias, each channel by itself. */
  instanceNorm: { epsilon: number }
  /** Sum over axes, which stay with length 1. */
  sum: { axes: readonly number[] }
  /** Running sum along an axis, from its end when reverse. */
  cumulativeSum: { axis: number; reverse: boolean }

  reshape: { shape: Shape }
  transpose: { permutation: readonly number[] }
  expand: { shape: Shape }
  slice: { axis: number; start: Dim; end: Dim }
  concat: { axis: number }
  /** Zeros before and after along one axis. */
  pad: { axis: number; before: Dim; after: Dim }
  /** The axis read backwards. */
  reverse: { axis: number }
  /** (x: [rows, …], index: [rows] int32): row r is x[index[r]]; index is a permutation that is its own inverse. */
  permuteRows: None

  /** (x: [batch, in, time], weight: [out, in/groups, kernel]): cross-correlation, as torch.nn.functional.conv1d. */
  conv1d: Conv1d
  /** (gradient: [batch, out, time'], weight): the gradient of conv1d's input, of length `time`. */
  conv1dInputGradient: Conv1d & { time: Dim }
  /** (x, gradient): the gradient of conv1d's weight. */
  conv1dWeightGradient: Conv1d & { kernel: number }
  /** (x: [batch, time, channels], weight: [channels, kernel]): depthwise, y[t] = Σ_j weight[j]·x[t − (kernel−1) + j]. */
  causalConv: None

  /**
   * (q, k, v: [batch, time, heads·N], optionally valid: bool [batch, time]) → q's shape: softmax(q kᵀ / √N) v in each head, every step seeing every step, or
   * every valid one.
   */
  attention: { heads: number }

  /**
   * Gated linear attention (q, k: [batch, time, groups·N]; v: [batch, time, heads·P]; g: [batch, time, heads]) → [batch, time, heads·P]:
   * S_t = exp(g_t)·S_{t−1} + k_t v_tᵀ, o_t = q_tᵀ S_t. Consecutive heads share the q and k of their group.
   */
  linearAttention: { heads: number; groups: number }
}

type None = Readonly<Record<string, never>>

export interface Conv1d {
  stride: number
  padBefore: number
  padAfter: number
  groups: number
}

/** What steps that are not valid score in attention: their weight underflows to zero, without the NaN of −∞ in a row of padding alone. */
export const maskedScore = -1e9

export type Op = keyof OpParams
export type DType = 'float32' | 'int32' | 'bool'

export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

/** A node of the graph and the tensor it yields. Values are immutable; a graph is whatever its outputs reach. */
export interface Value<O extends Op = Op> {
  readonly op: O
  readonly inputs: readonly Value[]
  readonly params: OpParams[O]
  readonly type: TensorType
}

/** A Value as a union discriminated by `op`. */
export type AnyValue = { [O in Op]: Value<O> }[Op]
