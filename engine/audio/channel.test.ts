import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { peakingFilter, throughChannel } from './channel.ts'

const rate = 16000
const tone = (frequency: number): Float32Array => Float32Array.from({ length: rate }, (_, i) => Math.sin((2 * Math.PI * frequency * i) / rate))
const power = (samples: Float32Array): number => samples.subarray(rate / 2).reduce((total, value) => total + value * value, 0)
const decibels = (out: Float32Array, samples: Float32Array): number => 10 * Math.log10(power(out) / power(samples))

describe('peakingFilter', () => {
  it('has its gain at its frequency, and none far below and above', () => {
    fc.assert(
      fc.property(fc.double({ min: 900, max: 2500, noNaN: true }), fc.double({ min: -12, max: 12, noNaN: true }), (frequency, gain) => {
        const at = (f: number): number => decibels(peakingFilter(tone(f), rate, frequency, gain, 1), tone(f))
        expect(at(frequency)).toBeCloseTo(gain, 1)
        expect(Math.abs(at(40))).toBeLessThan(0.1)
        expect(Math.abs(at(7900))).toBeLessThan(0.1)
      }),
      { numRuns: 20 },
    )
  })
})

describe('throughChannel', () => {
  it('is the same for the same key, another for another, and keeps length and about the loudness', () => {
    const speech = tone(300).map((value, i) => value * Math.sin(i / 3000))
    const [a, again, b] = [throughChannel(speech, rate, 0, 'x', 1), throughChannel(speech, rate, 0, 'x', 1), throughChannel(speech, rate, 0, 'x', 2)]
    expect(again).toEqual(a)
    expect(b).not.toEqual(a)
    expect(a.length).toBe(speech.length)
    for (const heard of [a, b]) expect(Math.abs(decibels(heard, speech))).toBeLessThan(25)
  })

  it('adds noise 12 to 40 dB below the speech', () => {
    for (let key = 0; key < 20; key++) {
      // A tone stays a tone through a linear filter: what is left behind its best fit is noise.
      const heard = throughChannel(tone(1000), rate, 0, key).subarray(rate / 2)
      const fit = (wave: (angle: number) => number): number => heard.reduce((total, value, i) => total + value * wave((2 * Math.PI * 1000 * i) / rate), 0) / (heard.length / 2)
      const [sine, cosine] = [fit(Math.sin), fit(Math.cos)]
      const rest = heard.map((value, i) => value - sine * Math.sin((2 * Math.PI * 1000 * i) / rate) - cosine * Math.cos((2 * Math.PI * 1000 * i) / rate))
      const snr = 10 * Math.log10((sine ** 2 + cosine ** 2) / 2 / (rest.reduce((total, value) => total + value * value, 0) / rest.length))
      expect(snr).toBeGreaterThan(11.5)
      expect(snr).toBeLessThan(40.5)
    }
  })
})
