/** The metadata_props of an .onnx file: field 14 of ModelProto, each a StringStringEntryProto (onnx.proto3). */
export const readMetadata = (file: Uint8Array): Record<string, string> =>
  Object.fromEntries(
    fields(file)
      .filter(({ number }) => number === 14)
      .map(({ value }) => fields(value).map(({ value: bytes }) => new TextDecoder().decode(bytes)) as [string, string]),
  )

/** The length-delimited fields of a protocol buffer message; others are passed over. */
const fields = (message: Uint8Array): { number: number; value: Uint8Array }[] => {
  const result: { number: number; value: Uint8Array }[] = []
  let offset = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[offset++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  while (offset < message.length) {
    const tag = varint()
    const wireType = tag % 8
    if (wireType === 2) {
      const length = varint()
      result.push({ number: Math.floor(tag / 8), value: message.subarray(offset, offset + length) })
      offset += length
    } else if (wireType === 0) varint()
    else if (wireType === 5) offset += 4
    else throw new Error(`wire type ${wireType} at byte ${offset}`)
  }
  return result
}
