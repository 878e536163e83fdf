/** A 16-bit mono PCM WAV; samples lie in −1 … 1 and are clipped there. */
export const encodeWav = (samples: Float32Array, rate: number): Uint8Array => {
  const header = 44
  const bytes = new Uint8Array(header + 2 * samples.length)
  const view = new DataView(bytes.buffer)
  const text = (offset: number, value: string): void => { bytes.set(new TextEncoder().encode(value), offset); }
  text(0, 'RIFF')
  view.setUint32(4, bytes.length - 8, true)
  text(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, rate * 2, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  text(36, 'data')
  view.setUint32(40, 2 * samples.length, true)
  samples.forEach((sample, i) => { view.setInt16(header + 2 * i, Math.round(Math.max(-1, Math.min(1, sample)) * 0x7fff), true); })
  return bytes
}
