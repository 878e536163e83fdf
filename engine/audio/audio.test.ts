import { describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { AudioError } from '../errors.ts'
import { decodeWav, normaliseAudio, parsePreprocessor, resample } from './index.ts'

const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0))
const little = (value: number, bytes: number): number[] => Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256)
const file = (code: number, channels: number, rate: number, bits: number, data: readonly number[], dataSize = data.length): Uint8Array =>
  Uint8Array.from([
    ...ascii('RIFF'), ...little(36 + data.length, 4), ...ascii('WAVE'),
    ...ascii('LIST'), ...little(3, 4), 1, 2, 3, 0, // a chunk of odd length and its padding byte
    ...ascii('fmt '), ...little(16, 4), ...little(code, 2), ...little(channels, 2), ...little(rate, 4), ...little((rate * channels * bits) / 8, 4), ...little((channels * bits) / 8, 2), ...little(bits, 2),
    ...ascii('data'), ...little(dataSize, 4), ...data,
  ])
const floats = (values: readonly number[], bytes: 4 | 8): number[] => [...new Uint8Array((bytes === 4 ? Float32Array.from(values) : Float64Array.from(values)).buffer)]

describe('decodeWav', () => {
  it.each([
    ['8-bit PCM', file(1, 1, 8000, 8, [128, 0, 255, 192]), [0, -1, 127 / 128, 0.5]],
    ['16-bit PCM', file(1, 1, 8000, 16, [...little(0x8000, 2), ...little(16384, 2)]), [-1, 0.5]],
    ['24-bit PCM', file(1, 1, 8000, 24, [...little(0x400000, 3), ...little(0xc00000, 3)]), [0.5, -0.5]],
    ['32-bit PCM', file(1, 1, 8000, 32, little(0x40000000, 4)), [0.5]],
    ['32-bit float', file(3, 1, 8000, 32, floats([0.25, -2], 4)), [0.25, -2]],
    ['64-bit float', file(3, 1, 8000, 64, floats([0.125], 8)), [0.125]],
    // ITU-T G.711: the largest positive and negative codes, and the smallest
    ['mu-law', file(7, 1, 8000, 8, [0x80, 0x00, 0xff]), [32124 / 32768, -32124 / 32768, 0]],
    ['A-law', file(6, 1, 8000, 8, [0xaa, 0x2a, 0xd5]), [32256 / 32768, -32256 / 32768, 8 / 32768]],
    ['a stream of unknown length', file(1, 1, 8000, 16, little(16384, 2), 0xffffffff), [0.5]],
  ])('reads %s', (_, bytes, samples) => {
    expect([...decodeWav(bytes, 'x').channels[0]!]).toEqual(samples.map(Math.fround))
  })

  it('separates channels', () => {
    const { channels, samplingRate } = decodeWav(file(1, 3, 44100, 8, [128, 192, 64, 0, 128, 192]), 'x')
    expect(samplingRate).toBe(44100)
    expect(channels.map((channel) => [...channel])).toEqual([[0, -1], [0.5, 0], [-0.5, 0.5]])
  })

  it.each([
    [new Uint8Array(), 'a.wav: expected a WAV file (RIFF/WAVE), found an empty file'],
    [Uint8Array.from(ascii('ID3 and then some more')), 'found 22 bytes of something else'],
    [file(1, 1, 8000, 16, [1, 2], 400), 'expected 400 bytes of samples, found 2: the file is truncated'],
    [file(85, 1, 8000, 16, [1, 2]), 'found format 85 of 16 bits'],
    [file(1, 1, 0, 16, [1, 2]), 'found 1 channels at 0 Hz'],
    [file(1, 1, 8000, 16, []), 'expected samples, found none'],
  ])('refuses what is no recording: %#', (bytes, message) => {
    expect(() => decodeWav(bytes, 'a.wav')).toThrow(message)
    expect(() => decodeWav(bytes, 'a.wav')).toThrow(AudioError)
  })
})

describe('resample', () => {
  for (const { rate, signal, resampled } of readFixture<{ rate: number; signal: FixtureTensor; resampled: FixtureTensor<Float64Array<ArrayBuffer>> }>('resample')) {
    it(`${rate} Hz to 16 kHz as soxr does`, () => {
      const found = resample(signal.data, rate, 16000)
      expect(Math.abs(found.length - resampled.data.length)).toBeLessThanOrEqual(1)
      const largest = Math.max(...resampled.data.map(Math.abs))
      const worst = Math.max(...resampled.data.slice(0, found.length).map((value, i) => Math.abs(value - found[i]!)))
      expect(worst / largest).toBeLessThan(3e-4)
    })
  }

  const sine = (hertz: number, rate: number, n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate))
  const middle = (x: Float32Array): Float32Array => x.subarray(Math.floor(x.length / 4), Math.floor((3 * x.length) / 4))

  it.each([[8000, 16000], [44100, 16000], [11025, 16000], [48000, 16000]])('keeps amplitude and phase of a tone below both Nyquist frequencies: %i to %i', (from, to) => {
    const found = resample(sine(440, from, from / 5), from, to)
    expect(found.length).toBe(Math.ceil((Math.floor(from / 5) * to) / from))
    const expected = middle(sine(440, to, found.length))
    middle(found).forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4))
  })

  it('suppresses what the new rate cannot carry by 80 dB', () => {
    const found = middle(resample(sine(9000, 48000, 9600), 48000, 16000))
    expect(Math.max(...found.map(Math.abs))).toBeLessThan(1e-4)
  })

  it('leaves a signal at its own rate alone', () => {
    const x = sine(100, 16000, 50)
    expect(resample(x, 16000, 16000)).toBe(x)
  })
})

describe('normaliseAudio', () => {
  it('is (x − mean) / √(variance + 1e-7)', () => {
    // mean 2, population variance 2/3
    const deviation = Math.sqrt(2 / 3 + 1e-7)
    ;[-1, 0, 1].forEach((value, i) => expect(normaliseAudio(Float32Array.of(1, 2, 3))[i]).toBeCloseTo(value / deviation, 6))
    expect([...normaliseAudio(new Float32Array(3))]).toEqual([0, 0, 0])
  })
})

describe('parsePreprocessor', () => {
  it('has HF defaults and refuses what it cannot honour', () => {
    expect(parsePreprocessor({ do_normalize: false }, 'p')).toMatchObject({ sampling_rate: 16000, do_normalize: false })
    expect(() => parsePreprocessor({ feature_size: 80 }, 'p.json')).toThrow('p.json: feature_size')
  })
})
