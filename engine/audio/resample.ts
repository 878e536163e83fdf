import { AudioError } from '../errors.ts'

/** Zero crossings of the sinc on each side at the lower of the two rates. */
const zeroCrossings = 32
/** Kaiser window parameter: about 90 dB of stop-band attenuation. */
const beta = 9
/** The cut-off as a share of the lower Nyquist frequency, so that the transition band ends near it. */
const rolloff = 0.945

/** Modified Bessel function of the first kind, order 0, by its power series (Abramowitz & Stegun 9.6.12). */
const besselI0 = (x: number): number => {
  let term = 1
  let total = 1
  for (let k = 1; term > total * 1e-17; k++) {
    term *= (x / 2 / k) ** 2
    total += term
  }
  return total
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** The filter of a rate change: one row of taps for each output phase. */
interface Polyphase {
  /** Output samples for each `down` input samples. */
  readonly up: number
  readonly down: number
  /** [up, taps]; each row sums to 1, so that a constant stays one. */
  readonly rows: readonly Float64Array[]
  /** Input samples before an output's position that its taps begin at. */
  readonly reach: number
}

const filters = new Map<string, Polyphase>()

/** h(t) = rolloff·s·sinc(rolloff·s·t) under a Kaiser window of half-width zeroCrossings/(rolloff·s), t in input samples, s = min(1, to/from). */
const designFilter = (from: number, to: number): Polyphase => {
  const key = `${from}/${to}`
  const known = filters.get(key)
  if (known !== undefined) return known
  const divisor = gcd(from, to)
  const up = to / divisor
  const down = from / divisor
  const cutoff = rolloff * Math.min(1, to / from)
  const halfWidth = zeroCrossings / cutoff
  const reach = Math.ceil(halfWidth)
  const norm = besselI0(beta)
  const rows = Array.from({ length: up }, (_, phase) => {
    const fraction = ((phase * down) % up) / up
    const row = Float64Array.from({ length: 2 * reach + 1 }, (_, tap) => {
      const t = tap - reach - fraction
      if (Math.abs(t) >= halfWidth) return 0
      const x = Math.PI * cutoff * t
      return (t === 0 ? 1 : Math.sin(x) / x) * (besselI0(beta * Math.sqrt(1 - (t / halfWidth) ** 2)) / norm)
    })
    const total = row.reduce((a, b) => a + b, 0)
    return row.map((value) => value / total)
  })
  const filter = { up, down, rows, reach }
  filters.set(key, filter)
  return filter
}

/** More phases than this mean rates without a common measure, whose filter would not fit. */
const mostPhases = 50_000

/**
 * Band-limited resampling by a windowed sinc (Smith, "Digital Audio Resampling", 2002), linear phase, no delay; silence is assumed
 * around the signal. Output length ⌈samples·to/from⌉.
 */
export const resample = (samples: Float32Array, from: number, to: number): Float32Array => {
  if (from === to) return samples
  if (to / gcd(from, to) > mostPhases) throw new AudioError(`expected a sampling rate that can be brought to ${to} Hz, found ${from} Hz`)
  const { up, down, rows, reach } = designFilter(from, to)
  const out = new Float32Array(Math.ceil((samples.length * up) / down))
  for (let n = 0; n < out.length; n++) {
    const position = Math.floor((n * down) / up)
    const row = rows[n % up]!
    const first = position - reach
    const begin = Math.max(0, -first)
    const end = Math.min(row.length, samples.length - first)
    let total = 0
    for (let tap = begin; tap < end; tap++) total += row[tap]! * samples[first + tap]!
    out[n] = total
  }
  return out
}
