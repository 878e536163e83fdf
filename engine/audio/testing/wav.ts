import { encodeWav } from '../encodeWav.ts'

/** A WAV of a tone that glides, so that different recordings sound different. */
export const wav = (seconds: number, pitch: number, rate = 16000): Uint8Array => {
  const samples = Math.round(seconds * rate)
  return encodeWav(
    Float32Array.from({ length: samples }, (_, i) => 0.25 * Math.sin((2 * Math.PI * pitch * i * (1 + i / samples)) / rate)),
    rate,
  )
}
