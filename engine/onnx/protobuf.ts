/** A writer of protocol buffer wire format (protobuf.dev/programming-guides/encoding): varints, 32-bit floats, length-delimited fields. */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = []
  #length = 0

  /** An int64 or enum field; negative numbers take ten bytes as the format wants. */
  int(field: number, value: number | bigint): this {
    return this.#tag(field, 0).#varint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): this {
    return this.#tag(field, 5).#append(new Uint8Array(Float32Array.of(value).buffer))
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#tag(field, 2).#varint(BigInt(value.length)).#append(value)
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value))
  }

  message(field: number, write: (writer: ProtobufWriter) => unknown): this {
    const inner = new ProtobufWriter()
    write(inner)
    this.#tag(field, 2).#varint(BigInt(inner.#length))
    for (const part of inner.#parts) this.#append(part)
    return this
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  /** What was written, in order; long values are the arrays that were given, not copies. */
  get pieces(): readonly Uint8Array[] {
    return this.#parts
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.#length)
    let offset = 0
    for (const part of this.#parts) {
      result.set(part, offset)
      offset += part.length
    }
    return result
  }

  #tag(field: number, wireType: number): this {
    return this.#varint(BigInt((field << 3) | wireType))
  }

  #varint(value: bigint): this {
    const bytes: number[] = []
    let rest = value
    while (rest > 0x7fn) {
      bytes.push(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    bytes.push(Number(rest))
    return this.#append(Uint8Array.from(bytes))
  }

  #append(part: Uint8Array): this {
    this.#parts.push(part)
    this.#length += part.length
    return this
  }
}
