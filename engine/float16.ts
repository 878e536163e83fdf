/** The largest finite magnitude of IEEE 754 binary16. */
export const largestFloat16 = 65504

/** float32 values as IEEE 754 binary16 bits, rounded to nearest with ties to even; magnitudes of 65520 and more become infinite. */
export const toFloat16 = (values: Float32Array): Uint16Array => {
  const result = new Uint16Array(values.length)
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) result[i] = halfBits(bits[i]!)
  return result
}

/** One float32, given as its bits. */
const halfBits = (bits: number): number => {
  const sign = (bits >>> 16) & 0x8000
  const exponent = (bits >>> 23) & 0xff
  const fraction = bits & 0x7fffff
  if (exponent === 0xff) return sign | (fraction === 0 ? 0x7c00 : 0x7e00)
  // The exponents' biases are 127 and 15; a carry out of the fraction rightly raises the exponent.
  if (exponent > 142) return sign | 0x7c00
  if (exponent > 112) return sign + rounded(((exponent - 112) << 23) | fraction, 13)
  // Subnormal: multiples of 2⁻²⁴.
  return exponent < 101 ? sign : sign + rounded(fraction | 0x800000, 126 - exponent)
}

/** value / 2^shift, rounded to nearest with ties to even. */
const rounded = (value: number, shift: number): number => {
  const kept = value >>> shift
  const rest = value & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept
}

/** IEEE 754 binary16 bits to the number they stand for. */
export const fromFloat16 = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

let table: Float32Array | undefined

/** Writes binary16 values as float32, by table: a power a value would take ten seconds over a large model. */
export const float16Into = (values: Uint16Array, target: Float32Array): void => {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => fromFloat16(bits))
  for (let i = 0; i < values.length; i++) target[i] = table[values[i]!]!
}

/** Writes bfloat16 values, each the upper half of a float32, as float32. */
export const bfloat16Into = (values: Uint16Array, target: Float32Array): void => {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < values.length; i++) bits[i] = values[i]! << 16
}
