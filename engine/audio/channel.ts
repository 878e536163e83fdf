import { CounterRandom, fillNormal, type KeyPart } from '../random.ts'

/** Gains of the equaliser in dB, its bands in Hz, and the noise under the speech in dB below it: what rooms, microphones and lines differ in. */
const ranges = { gain: 8, lowest: 150, highest: 6000, width: 0.8, snr: [12, 40] } as const
const bands = 3

/** A peaking equaliser of second order: `gain` dB at `frequency`, 0 dB far from it (R. Bristow-Johnson, "Audio EQ Cookbook", peakingEQ). */
export const peakingFilter = (samples: Float32Array, samplingRate: number, frequency: number, gain: number, q: number): Float32Array => {
  const amplitude = 10 ** (gain / 40)
  const omega = (2 * Math.PI * frequency) / samplingRate
  const alpha = Math.sin(omega) / (2 * q)
  const scale = 1 / (1 + alpha / amplitude)
  const [b0, b1, b2] = [(1 + alpha * amplitude) * scale, -2 * Math.cos(omega) * scale, (1 - alpha * amplitude) * scale]
  const [a1, a2] = [b1, (1 - alpha / amplitude) * scale]
  const out = new Float32Array(samples.length)
  let [x1, x2, y1, y2] = [0, 0, 0, 0]
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i]!
    const y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
    out[i] = y
    ;[x2, x1, y2, y1] = [x1, x, y1, y]
  }
  return out
}

const rootMeanSquare = (samples: Float32Array): number => Math.sqrt(samples.reduce((total, value) => total + value * value, 0) / Math.max(1, samples.length))

/** The samples as through another microphone, room and line: an equaliser of three random bands, then white noise 12 to 40 dB below them; all from the seed and key. */
export const throughChannel = (samples: Float32Array, samplingRate: number, seed: number, ...key: KeyPart[]): Float32Array => {
  const random = new CounterRandom(seed, 'channel', ...key)
  const between = (low: number, high: number): number => low + (high - low) * random.nextFloat()
  let heard = samples
  for (let band = 0; band < bands; band++) {
    const frequency = Math.exp(between(Math.log(ranges.lowest), Math.log(Math.min(ranges.highest, 0.45 * samplingRate))))
    heard = peakingFilter(heard, samplingRate, frequency, between(-ranges.gain, ranges.gain), ranges.width)
  }
  const noise = new Float32Array(heard.length)
  fillNormal(noise, rootMeanSquare(heard) * 10 ** (-between(...ranges.snr) / 20), seed, 'channel noise', ...key)
  return heard.map((value, i) => value + noise[i]!)
}
