/** IEEE 754 binary16 bits to the number they stand for. */
export const fromFloat16 = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** bfloat16 is the upper half of a float32. */
export const fromBfloat16 = (values: Uint16Array): Float32Array => {
  const result = new Float32Array(values.length)
  const bits = new Uint32Array(result.buffer)
  values.forEach((value, i) => (bits[i] = value << 16))
  return result
}
