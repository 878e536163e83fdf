import { GraphError } from '../errors.ts'
import { input, sameShape, type Value } from '../ir/index.ts'

/** How a parameter starts when no checkpoint brings it. */
export type Initial =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  /** ln u, u uniform: Mamba2's A_log. */
  | { readonly kind: 'logOfUniform'; readonly low: number; readonly high: number }
  /** softplus⁻¹(max(e^u, floor)), u uniform between ln low and ln high: Mamba2's dt_bias. */
  | { readonly kind: 'inverseSoftplusOfExpUniform'; readonly low: number; readonly high: number; readonly floor: number }
  /** The norm of another parameter of this scope for each index of its last axis: the magnitude of a weight norm. */
  | { readonly kind: 'normOf'; readonly direction: string }

export interface ParameterSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly initial: Initial
  /** Whether AdamW decays it: matrices and kernels yes; biases, norms and state-space dynamics no. */
  readonly decay: boolean
  /** Whether it learns from gradients; what does not is set from outside. */
  readonly trained: boolean
}

/** PyTorch's default for linear and convolution weights and biases: U(±1/√fanIn) (kaiming_uniform_ with a = √5). */
export const torchUniform = (fanIn: number): Initial => ({ kind: 'uniform', low: -1 / Math.sqrt(fanIn), high: 1 / Math.sqrt(fanIn) })
export const zeros: Initial = { kind: 'constant', value: 0 }
export const ones: Initial = { kind: 'constant', value: 1 }

/**
 * Hands layers their parameters as graph inputs and remembers what they asked for, so that the list of a model's parameters
 * follows from its layers. `at` opens a sub-scope whose names are joined by dots, as in a PyTorch module tree.
 */
export class Parameters {
  readonly #prefix: string
  readonly #asked: Map<string, { spec: ParameterSpec; value: Value<'input'> }>

  constructor(prefix = '', asked = new Map<string, { spec: ParameterSpec; value: Value<'input'> }>()) {
    this.#prefix = prefix
    this.#asked = asked
  }

  at(name: string): Parameters {
    return new Parameters(`${this.#prefix}${name}.`, this.#asked)
  }

  get(name: string, shape: readonly number[], initial: Initial, { decay = true, trained = true } = {}): Value {
    const full = `${this.#prefix}${name}`
    const known = this.#asked.get(full)
    if (known !== undefined) {
      if (!sameShape(known.spec.shape, shape)) throw new GraphError(`parameter ${full}: expected one shape, found [${known.spec.shape.join(', ')}] and [${shape.join(', ')}]`)
      return known.value
    }
    const value = input(full, shape)
    this.#asked.set(full, { spec: { name: full, shape, initial, decay, trained }, value })
    return value
  }

  /** Everything asked for so far, in the order it was first asked. */
  get specs(): ParameterSpec[] {
    return [...this.#asked.values()].map(({ spec }) => spec)
  }

  get values(): Value<'input'>[] {
    return [...this.#asked.values()].map(({ value }) => value)
  }

  /** Those that gradients are wanted of. */
  get trained(): Value<'input'>[] {
    return [...this.#asked.values()].filter(({ spec }) => spec.trained).map(({ value }) => value)
  }
}
