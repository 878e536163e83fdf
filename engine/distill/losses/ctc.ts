import { RuntimeError, VocabularyError } from '../../errors.ts'

export interface CtcInput {
  /** [batch, frames, vocabularySize], before the softmax. */
  readonly logits: Float32Array
  readonly batch: number
  readonly frames: number
  readonly vocabularySize: number
  /** Valid frames of each utterance. */
  readonly frameLengths: Int32Array
  /** Labels of each utterance, without blanks. */
  readonly targets: readonly Int32Array[]
  readonly blank: number
  /** What the gradient is multiplied by: 1 / characters for a loss per character. */
  readonly scale: number
  /** [batch, frames, vocabularySize]; scale · d(sum of the finite losses) / d logits is added to it. */
  readonly gradient: Float32Array
}

/**
 * Whether a target has an alignment at all: a frame for each label and one more between two equal neighbours, where a blank must
 * stand. An empty target always has one: all blanks, or nothing in no frames.
 */
export function ctcFeasible(frameLength: number, target: ArrayLike<number>): boolean {
  let needed = target.length
  for (let i = 1; i < target.length; i++) if (target[i] === target[i - 1]) needed++
  return frameLength >= needed
}

/**
 * Connectionist temporal classification (Graves et al., ICML 2006): −log p(target | logits) of each utterance in nats, Infinity when no
 * alignment exists. The gradient, softmax − occupancy of the label, is added for utterances with a finite loss, on valid frames only.
 * Log-space forward-backward in float64. RuntimeError for sizes that do not fit, VocabularyError for a label that is none.
 */
export function ctcLoss(input: CtcInput): { losses: Float64Array } {
  checkInput(input)
  const { batch, frames, vocabularySize, frameLengths, targets, blank } = input
  const longest = targets.reduce((most, target) => Math.max(most, target.length), 0)
  const most = frameLengths.reduce((a, b) => Math.max(a, b), 0)
  const lattice = new Lattice(most, 2 * longest + 1, vocabularySize)
  const losses = new Float64Array(batch)
  for (let b = 0; b < batch; b++) {
    const target = targets[b]!
    const length = frameLengths[b]!
    if (!ctcFeasible(length, target)) {
      losses[b] = Infinity
      continue
    }
    const from = b * frames * vocabularySize
    const to = from + length * vocabularySize
    lattice.enter(input.logits.subarray(from, to), length, target, blank)
    losses[b] = lattice.forward()
    if (Number.isFinite(losses[b]!)) lattice.backward(input.scale, input.gradient.subarray(from, to))
  }
  return { losses }
}

function checkInput({ logits, batch, frames, vocabularySize, frameLengths, targets, blank, gradient }: CtcInput): void {
  const size = batch * frames * vocabularySize
  const fits = logits.length === size && gradient.length === size && frameLengths.length === batch && targets.length === batch
  if (!fits) {
    const found = `${logits.length} logits, ${gradient.length} gradients, ${frameLengths.length} lengths, ${targets.length} targets`
    throw new RuntimeError(`CTC: expected ${size} logits and gradients and ${batch} lengths and targets, found ${found}`)
  }
  const isLabel = (label: number): boolean => Number.isInteger(label) && label >= 0 && label < vocabularySize
  if (!isLabel(blank)) throw new VocabularyError(`CTC: expected a blank from 0 to ${vocabularySize - 1}, found ${blank}`)
  frameLengths.forEach((length, b) => {
    if (length < 0 || length > frames) throw new RuntimeError(`CTC, utterance ${b}: expected 0 to ${frames} frames, found ${length}`)
  })
  targets.forEach((target, b) => {
    const wrong = target.find((label) => !isLabel(label) || label === blank)
    if (wrong === undefined) return
    const expected = `labels from 0 to ${vocabularySize - 1} other than the blank ${blank}`
    throw new VocabularyError(`CTC, utterance ${b}: expected ${expected}, found ${wrong}`)
  })
}

/**
 * The states of one utterance's alignments over time: blank, label 1, blank, label 2, …, blank. Its buffers serve every utterance
 * of a batch, so they are as large as the longest needs.
 */
class Lattice {
  /** Log-probability of all ways into a state, with the frame's own emission: [frames, states]. */
  readonly #alpha: Float64Array
  /** Log-probability of all ways on from a state, without the frame's own emission: [states]. */
  readonly #beta: Float64Array
  /** The vocabulary entry that a state emits; states with an even index emit the blank. */
  readonly #labels: Int32Array
  /** Whether a state may be entered from two states before: a label that differs from the one before it. Never set for a blank. */
  readonly #skips: Uint8Array
  /** log Σ exp(logits) of each frame. */
  readonly #normaliser: Float64Array
  /** Posterior probability of each vocabulary entry in one frame. */
  readonly #occupancy: Float64Array
  #logits: Float32Array = new Float32Array(0)
  #frames = 0
  #states = 0
  #logLikelihood = 0

  constructor(maxFrames: number, maxStates: number, vocabularySize: number) {
    this.#alpha = new Float64Array(maxFrames * maxStates)
    this.#beta = new Float64Array(maxStates)
    this.#labels = new Int32Array(maxStates)
    this.#skips = new Uint8Array(maxStates)
    this.#normaliser = new Float64Array(maxFrames)
    this.#occupancy = new Float64Array(vocabularySize)
  }

  /** Takes up an utterance: logits [frames, vocabulary], a target that has an alignment. */
  enter(logits: Float32Array, frames: number, target: Int32Array, blank: number): void {
    const vocabulary = this.#occupancy.length
    this.#logits = logits
    this.#frames = frames
    this.#states = 2 * target.length + 1
    this.#labels.fill(blank, 0, this.#states)
    for (let i = 0; i < target.length; i++) {
      this.#labels[2 * i + 1] = target[i]!
      this.#skips[2 * i + 1] = i > 0 && target[i] !== target[i - 1] ? 1 : 0
    }
    for (let t = 0; t < frames; t++) this.#normaliser[t] = logSumExp(logits, t * vocabulary, vocabulary)
  }

  /** The first state from which the end can still be reached after frame t; the states before it are never looked at. */
  #first(t: number): number {
    return Math.max(0, this.#states - 2 * (this.#frames - t))
  }

  /** One past the last state that can be reached by frame t. */
  #end(t: number): number {
    return Math.min(this.#states, 2 * (t + 1))
  }

  /** −log p(target). */
  forward(): number {
    const [alpha, labels, skips, logits] = [this.#alpha, this.#labels, this.#skips, this.#logits]
    const [frames, states, vocabulary] = [this.#frames, this.#states, this.#occupancy.length]
    if (frames === 0) return 0
    alpha.fill(-Infinity, 0, frames * states)
    for (let t = 0; t < frames; t++) {
      const row = t * states
      const before = row - states
      const emissions = t * vocabulary
      const normaliser = this.#normaliser[t]!
      const end = this.#end(t)
      for (let s = this.#first(t); s < end; s++) {
        let ways = 0
        if (t > 0) {
          const skip = skips[s] === 1 ? alpha[before + s - 2]! : -Infinity
          ways = s > 0 ? logAdd(alpha[before + s]!, alpha[before + s - 1]!, skip) : alpha[before]!
        }
        alpha[row + s] = ways + (logits[emissions + labels[s]!]! - normaliser)
      }
    }
    const last = frames * states - 1
    this.#logLikelihood = states > 1 ? logAdd(alpha[last]!, alpha[last - 1]!, -Infinity) : alpha[last]!
    return -this.#logLikelihood
  }

  /** Adds scale · d(−log p) / d logits, [frames, vocabulary]; after a forward with a finite loss. */
  backward(scale: number, gradient: Float32Array): void {
    const [alpha, beta, occupancy, labels, logits] = [this.#alpha, this.#beta, this.#occupancy, this.#labels, this.#logits]
    const [frames, states, vocabulary] = [this.#frames, this.#states, this.#occupancy.length]
    beta.fill(-Infinity, 0, states)
    for (let t = frames - 1; t >= 0; t--) {
      if (t === frames - 1) beta.fill(0, Math.max(0, states - 2), states)
      else this.#stepBack(t)
      const normaliser = this.#normaliser[t]!
      const emissions = t * vocabulary
      const row = t * states
      const end = this.#end(t)
      for (let s = this.#first(t); s < end; s++) {
        const weight = alpha[row + s]! + beta[s]! - this.#logLikelihood
        // Below e^−745 a float64 is zero.
        if (weight > -745) occupancy[labels[s]!]! += Math.exp(weight)
      }
      for (let v = 0; v < vocabulary; v++) {
        gradient[emissions + v]! += scale * (Math.exp(logits[emissions + v]! - normaliser) - occupancy[v]!)
      }
      occupancy.fill(0)
    }
  }

  /** From the beta of frame t + 1 to that of frame t, in place: a state needs only itself and the two after it, so from the first up. */
  #stepBack(t: number): void {
    const [beta, labels, skips, logits, states] = [this.#beta, this.#labels, this.#skips, this.#logits, this.#states]
    const emissions = (t + 1) * this.#occupancy.length
    const normaliser = this.#normaliser[t + 1]!
    const arriving = (s: number): number => (s < states ? beta[s]! + (logits[emissions + labels[s]!]! - normaliser) : -Infinity)
    const first = this.#first(t)
    const end = this.#end(t)
    let stay = arriving(first)
    let next = arriving(first + 1)
    for (let s = first; s < end; s++) {
      const skip = arriving(s + 2)
      beta[s] = logAdd(stay, next, skips[s + 2] === 1 ? skip : -Infinity)
      stay = next
      next = skip
    }
  }
}

/** log(eᵃ + eᵇ + eᶜ); −Infinity stands for probability 0, and NaN stays NaN. */
function logAdd(a: number, b: number, c: number): number {
  const largest = Math.max(a, b, c)
  if (largest === -Infinity) return largest
  return largest + Math.log(exp(a - largest) + exp(b - largest) + exp(c - largest))
}

/** eˣ for x ≤ 0, where beside a 1 anything below 2^-54 is lost to rounding. */
function exp(x: number): number {
  if (x === 0) return 1
  return x < -38 ? 0 : Math.exp(x)
}

/** log Σ exp over `length` values from `offset`. */
function logSumExp(values: Float32Array, offset: number, length: number): number {
  let largest = -Infinity
  for (let i = offset; i < offset + length; i++) largest = Math.max(largest, values[i]!)
  let sum = 0
  for (let i = offset; i < offset + length; i++) sum += Math.exp(values[i]! - largest)
  return largest + Math.log(sum)
}
