/**
 * Counter-based random numbers: Philox4x32 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 * A stream is named by a seed and a key, (seed, update, micro-batch, layer, site) say, and its n-th number depends on nothing else:
 * a layer that recomputes, or a run that resumes, draws the same numbers again.
 *
 * How a name becomes a stream: the seed and then each part of the key are absorbed one after another by Philox4x32-10, whose key is
 * the state so far and whose counter is (low word, high word, kind of part, position). A number gives its low 32 and high 21 bits, a
 * string the FNV-1a hash of its UTF-8 bytes and their count. The 128 bits that come out are the stream's Philox key (64 bits)
 * and the upper half of its counter (64 bits); the lower half counts blocks of four 32-bit words from zero.
 */
import { UsageError } from './errors.ts'

// As signed words: V8 keeps larger constants as floats, which costs half of the speed.
const M0 = 0xd2511f53 | 0
const M1 = 0xcd9e8d57 | 0
const W0 = 0x9e3779b9 | 0
const W1 = 0xbb67ae85 | 0

const TWO_32 = 2 ** 32

export type KeyPart = number | string

/** Philox4x32 with `rounds` rounds: counter [4] and key [2] of 32-bit words give four 32-bit words, written to `out`. */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>, rounds: number, out: Uint32Array): void {
  let c0 = counter[0]! | 0
  let c1 = counter[1]! | 0
  let c2 = counter[2]! | 0
  let c3 = counter[3]! | 0
  let k0 = key[0]! | 0
  let k1 = key[1]! | 0
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(0x1f53, 0xd251, c0)
    const high1 = multiplyHigh(0x8d57, 0xcd9e, c2)
    const low0 = Math.imul(M0, c0)
    const low1 = Math.imul(M1, c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + W0) | 0
    k1 = (k1 + W1) | 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit numbers, the first as its halves, from four products of 16-bit halves. */
function multiplyHigh(aLow: number, aHigh: number, b: number): number {
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  // Each sum stays below 2^32: (2^16-1)^2 + 2^16-1 = 2^32 - 2^16.
  const middle = (Math.imul(aLow, bHigh) + (Math.imul(aLow, bLow) >>> 16)) | 0
  const carry = (Math.imul(aHigh, bLow) + (middle & 0xffff)) | 0
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo). */
function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}

/** The stream that a seed and a key name: [Philox key 0, key 1, counter word 2, counter word 3]. */
export function stream(seed: number, key: readonly KeyPart[]): Uint32Array {
  const state = new Uint32Array(4)
  const counter = new Uint32Array(4)
  ;[seed, ...key].forEach((part, position) => {
    if (typeof part === 'string') {
      const bytes = new TextEncoder().encode(part)
      counter.set([fnv1a(bytes), bytes.length, 2, position])
    } else {
      if (!Number.isSafeInteger(part) || part < 0) {
        const what = position === 0 ? 'the seed' : `part ${position} of a random key`
        throw new UsageError(`${what}: expected a whole number from 0 to 2^53 - 1, found ${part}`)
      }
      counter.set([part % TWO_32, Math.floor(part / TWO_32), 1, position])
    }
    // All four words of the state count: the upper two enter through the counter.
    counter[2]! ^= state[2]!
    counter[3]! ^= state[3]!
    philox4x32(counter, state, 10, state)
  })
  return state
}

/** Random numbers of one stream, in order. Holds nothing but the stream's name and how many words were drawn. */
export class CounterRandom {
  readonly #key: Uint32Array
  readonly #counter: Uint32Array
  readonly #block = new Uint32Array(4)
  #drawn = 0

  constructor(seed: number, ...key: KeyPart[]) {
    const name = stream(seed, key)
    this.#key = name.slice(0, 2)
    this.#counter = Uint32Array.of(0, 0, name[2]!, name[3]!)
  }

  /** Uniform over 0 … 2^32 - 1. */
  nextUint32(): number {
    const lane = this.#drawn % 4
    if (lane === 0) {
      const block = this.#drawn / 4
      this.#counter[0] = block % TWO_32
      this.#counter[1] = Math.floor(block / TWO_32)
      philox4x32(this.#counter, this.#key, 10, this.#block)
    }
    this.#drawn++
    return this.#block[lane]!
  }

  /** Uniform over [0, 1) in steps of 2^-32. */
  nextFloat(): number {
    return this.nextUint32() / TWO_32
  }

  /** Standard normal, by Marsaglia's polar method: no trigonometry, whose last bits differ between versions of a JavaScript engine. */
  nextNormal(): number {
    for (;;) {
      const u = this.nextUint32() * 2 ** -31 - 1
      const v = this.nextUint32() * 2 ** -31 - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s)
    }
  }

  /** Uniform over 0 … n - 1 without bias (draws again above the largest multiple of n); n from 1 to 2^32. */
  nextInt(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32) throw new UsageError(`a random integer below n: expected n from 1 to 2^32, found ${n}`)
    const limit = TWO_32 - (TWO_32 % n)
    for (;;) {
      const word = this.nextUint32()
      if (word < limit) return word % n
    }
  }

  /** Puts the array in a uniformly random order, in place (Fisher-Yates). Returns it. */
  shuffle<T>(array: T[]): T[] {
    for (let last = array.length - 1; last > 0; last--) {
      const other = this.nextInt(last + 1)
      const held = array[last]!
      array[last] = array[other]!
      array[other] = held
    }
    return array
  }
}

/** Fills with normal values of mean 0 and the given standard deviation. */
export function fillNormal(out: Float32Array, standardDeviation: number, seed: number, ...key: KeyPart[]): void {
  const random = new CounterRandom(seed, ...key)
  for (let i = 0; i < out.length; i++) out[i] = standardDeviation * random.nextNormal()
}

/** Fills with values uniform over [low, high), up to the rounding to float32. */
export function fillUniform(out: Float32Array, low: number, high: number, seed: number, ...key: KeyPart[]): void {
  const random = new CounterRandom(seed, ...key)
  for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * random.nextFloat()
}

/**
 * A dropout mask: 1 (keep) with probability 1 - dropProbability, else 0, each element by itself. What is drawn, 16 bits at a time, is how many elements on the next dropped one is (a geometric
 * number), so that time goes by the elements dropped: a base model's update wants 55 million elements. The bits are those of xoshiro128++ (Blackman & Vigna 2021), which starts where the
 * key's stream does.
 */
export function fillKeepMask(out: Uint8Array, dropProbability: number, seed: number, ...key: KeyPart[]): void {
  if (!(dropProbability >= 0 && dropProbability <= 1)) {
    throw new UsageError(`a dropout probability: expected 0 to 1, found ${dropProbability}`)
  }
  out.fill(1)
  const { length } = out
  const steps = stepsOf(dropProbability)
  let [s0, s1, s2, s3] = [...stream(seed, [...key, 'mask'])].map((word) => word | 0) as [number, number, number, number]
  for (let at = -1; at < length; ) {
    const sum = (s0 + s3) | 0
    const word = (((sum << 7) | (sum >>> 25)) + s0) | 0
    const shifted = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << 11) | (s3 >>> 21)
    const [first, second] = [steps[word >>> 16]!, steps[word & 0xffff]!]
    at += first >> 1
    if (at < length) out[at] = first & 1
    at += second >> 1
    if (at < length) out[at] = second & 1
  }
}

const longestStep = 255
const stepTables = new Map<number, Uint16Array>()

/**
 * By 16 bits: twice the number of elements that a mask goes on, and 1 when the element there is kept as well: none of the longest step was dropped, and what comes after does not remember it.
 * Shares are those of the geometric distribution, each end of a step's range rounded to a multiple of 2^-16.
 */
const stepsOf = (dropProbability: number): Uint16Array => {
  const known = stepTables.get(dropProbability)
  if (known !== undefined) return known
  const table = new Uint16Array(65536).fill(2 * longestStep + 1)
  let from = 0
  for (let step = 1; step <= longestStep; step++) {
    const to = Math.round(65536 * (1 - (1 - dropProbability) ** step))
    table.fill(2 * step, from, to)
    from = to
  }
  stepTables.set(dropProbability, table)
  return table
}
