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
