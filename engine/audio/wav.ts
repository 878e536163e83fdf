import { AudioError } from '../errors.ts'

export interface DecodedWav {
  readonly samplingRate: number
  /** One array a channel, in [−1, 1]. */
  readonly channels: readonly Float32Array[]
}

/** What the header says, without the samples. */
export interface WavHeader {
  readonly samplingRate: number
  readonly channels: number
  /** Samples a channel. */
  readonly samples: number
}

const formatPcm = 1
const formatFloat = 3
const formatALaw = 6
const formatMuLaw = 7
const formatExtensible = 0xfffe

/** Reads one sample at a byte offset as a number of [−1, 1]. */
type SampleReader = (view: DataView, offset: number) => number

/** ITU-T G.711. */
const muLaw: SampleReader = (view, offset) => {
  const code = ~view.getUint8(offset) & 0xff
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
  return (code & 0x80 ? -magnitude : magnitude) / 32768
}
const aLaw: SampleReader = (view, offset) => {
  const code = view.getUint8(offset) ^ 0x55
  const exponent = (code & 0x70) >> 4
  const mantissa = ((code & 0x0f) << 4) + 8
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1)
  return (code & 0x80 ? magnitude : -magnitude) / 32768
}

const readers: Readonly<Record<string, SampleReader>> = {
  [`${formatPcm}/8`]: (view, offset) => (view.getUint8(offset) - 128) / 128,
  [`${formatPcm}/16`]: (view, offset) => view.getInt16(offset, true) / 32768,
  [`${formatPcm}/24`]: (view, offset) => (view.getInt8(offset + 2) * 65536 + view.getUint16(offset, true)) / 8388608,
  [`${formatPcm}/32`]: (view, offset) => view.getInt32(offset, true) / 2147483648,
  [`${formatFloat}/32`]: (view, offset) => view.getFloat32(offset, true),
  [`${formatFloat}/64`]: (view, offset) => view.getFloat64(offset, true),
  [`${formatALaw}/8`]: aLaw,
  [`${formatMuLaw}/8`]: muLaw,
}

interface Layout extends WavHeader {
  readonly read: SampleReader
  readonly bytesPerSample: number
  readonly dataStart: number
}

const tag = (view: DataView, offset: number): string => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)))

/** Walks the RIFF chunks; `fileBytes` is the length of the file of which `bytes` may be the beginning. */
const layoutOf = (bytes: Uint8Array, path: string, fileBytes: number): Layout => {
  const complain = (message: string): never => {
    throw new AudioError(`${path}: ${message}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 12 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') {
    complain(`expected a WAV file (RIFF/WAVE), found ${fileBytes === 0 ? 'an empty file' : `${fileBytes} bytes of something else`}`)
  }
  let format: { code: number; channels: number; samplingRate: number; bits: number } | undefined
  for (let offset = 12; offset + 8 <= bytes.length; ) {
    const id = tag(view, offset)
    const size = view.getUint32(offset + 4, true)
    const start = offset + 8
    if (id === 'fmt ') {
      if (size < 16 || start + size > bytes.length) complain(`expected a format chunk of at least 16 bytes, found a truncated one`)
      const code = view.getUint16(start, true)
      format = {
        code: code === formatExtensible && size >= 40 ? view.getUint16(start + 24, true) : code,
        channels: view.getUint16(start + 2, true),
        samplingRate: view.getUint32(start + 4, true),
        bits: view.getUint16(start + 14, true),
      }
    } else if (id === 'data') {
      if (format === undefined) return complain('expected a format chunk before the samples, found none')
      const { code, channels, samplingRate, bits } = format
      const read = readers[`${code}/${bits}`]
      if (read === undefined) return complain(`expected PCM, float, A-law or mu-law samples, found format ${code} of ${bits} bits`)
      if (channels === 0 || samplingRate === 0) complain(`expected channels and a sampling rate, found ${channels} channels at ${samplingRate} Hz`)
      const frameBytes = (channels * bits) / 8
      // Writers that stream leave the size at 0 or at its maximum: the samples go on to the end of the file.
      const open = size === 0 || size === 0xffffffff
      const dataBytes = open ? fileBytes - start : size
      if (start + dataBytes > fileBytes) complain(`expected ${dataBytes} bytes of samples, found ${fileBytes - start}: the file is truncated`)
      const samples = Math.floor(dataBytes / frameBytes)
      if (samples === 0) complain('expected samples, found none')
      return { samplingRate, channels, samples, read, bytesPerSample: bits / 8, dataStart: start }
    }
    offset = start + size + (size % 2)
  }
  return complain('expected a chunk of samples, found none')
}

/** The header alone, from the beginning of a file of `fileBytes` bytes. */
export const readWavHeader = (beginning: Uint8Array, path: string, fileBytes: number): WavHeader => layoutOf(beginning, path, fileBytes)

/** Decodes a whole file: PCM of 8 to 32 bits, float, A-law, mu-law, any rate, any number of channels. AudioError says what is wrong with it. */
export const decodeWav = (bytes: Uint8Array, path: string): DecodedWav => {
  const { samplingRate, channels, samples, read, bytesPerSample, dataStart } = layoutOf(bytes, path, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoded = Array.from({ length: channels }, (_, channel) => {
    const out = new Float32Array(samples)
    for (let i = 0; i < samples; i++) out[i] = read(view, dataStart + (i * channels + channel) * bytesPerSample)
    return out
  })
  return { samplingRate, channels: decoded }
}
