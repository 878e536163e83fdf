import { RuntimeError } from '../../errors.ts'

/** What a run must keep of the optimiser beside the count of updates. */
export interface AdamWState {
  /** Running mean of the gradient, one for each parameter. */
  readonly firstMoment: Float32Array
  /** Running mean of its square. */
  readonly secondMoment: Float32Array
}

/** A stretch of the parameter vector that is updated; what no segment covers stays as it is. */
export interface AdamWSegment {
  readonly offset: number
  readonly length: number
  readonly weightDecay: number
  /** Multiplies the learning rate, 1 by default. */
  readonly learningRateScale?: number
}

export interface AdamWStep {
  readonly learningRate: number
  /** Which update this is, the first being 1: the moments start at zero and are corrected for it. */
  readonly update: number
  /** Multiplies the gradient: what clipping and averaging make of it. */
  readonly gradientScale: number
  /** In order and without overlap. */
  readonly segments: readonly AdamWSegment[]
}

export interface AdamWOptions {
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
}

export const adamWDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const

/** RuntimeError for a count or segments that do not fit `size` parameters. */
export const checkSegments = (size: number, update: number, segments: readonly AdamWSegment[]): void => {
  if (!Number.isInteger(update) || update < 1) throw new RuntimeError(`AdamW: expected updates counted from 1, found ${update}`)
  let end = 0
  for (const { offset, length } of segments) {
    if (!(offset >= end && length >= 0 && offset + length <= size)) {
      throw new RuntimeError(`AdamW: expected segments in order within ${end} to ${size}, found ${offset} to ${offset + length}`)
    }
    end = offset + length
  }
}

/**
 * AdamW (Loshchilov and Hutter, ICLR 2019) as torch.optim.AdamW computes it: the decay, learning rate · weight decay, shrinks the
 * parameter before the step, both moments are corrected for their start at zero, and epsilon stands outside the square root.
 * Over one flat vector of parameters; arithmetic in float64, parameters and moments stored in float32.
 */
export class AdamW {
  readonly state: AdamWState
  readonly #beta1: number
  readonly #beta2: number
  readonly #epsilon: number

  /** For `length` parameters; the moments are zero, and `state` may be written to when a run resumes. */
  constructor(length: number, { beta1 = adamWDefaults.beta1, beta2 = adamWDefaults.beta2, epsilon = adamWDefaults.epsilon }: AdamWOptions = {}) {
    this.state = { firstMoment: new Float32Array(length), secondMoment: new Float32Array(length) }
    this.#beta1 = beta1
    this.#beta2 = beta2
    this.#epsilon = epsilon
  }

  /** Updates the parameters in place. RuntimeError for lengths, counts or segments that do not fit. */
  step(parameters: Float32Array, gradient: Float32Array, options: AdamWStep): void {
    this.#check(parameters, gradient, options)
    for (const segment of options.segments) this.#stepSegment(parameters, gradient, segment, options)
  }

  #stepSegment(parameters: Float32Array, gradient: Float32Array, segment: AdamWSegment, options: AdamWStep): void {
    const { learningRate, update, gradientScale } = options
    const { firstMoment, secondMoment } = this.state
    const [beta1, beta2, epsilon] = [this.#beta1, this.#beta2, this.#epsilon]
    const [gain1, gain2] = [1 - beta1, 1 - beta2]
    const rate = learningRate * (segment.learningRateScale ?? 1)
    const keep = 1 - rate * segment.weightDecay
    const stepSize = rate / (1 - beta1 ** update)
    const correction = 1 / Math.sqrt(1 - beta2 ** update)
    const end = segment.offset + segment.length
    for (let i = segment.offset; i < end; i++) {
      const g = gradientScale * gradient[i]!
      const m = beta1 * firstMoment[i]! + gain1 * g
      const v = beta2 * secondMoment[i]! + gain2 * g * g
      firstMoment[i] = m
      secondMoment[i] = v
      parameters[i] = keep * parameters[i]! - (stepSize * m) / (correction * Math.sqrt(v) + epsilon)
    }
  }

  #check(parameters: Float32Array, gradient: Float32Array, { update, segments }: AdamWStep): void {
    const size = this.state.firstMoment.length
    if (parameters.length !== size || gradient.length !== size) {
      throw new RuntimeError(`AdamW: expected ${size} parameters and gradients, found ${parameters.length} and ${gradient.length}`)
    }
    checkSegments(size, update, segments)
  }
}
