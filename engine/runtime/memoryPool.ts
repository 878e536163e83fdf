/** What is smaller comes fresh: it costs nothing, and must not make room for itself among what does. */
const leastBytes = 2 ** 16

/** How much larger than asked for a stretch of memory may be that is used again. */
const slack = 2

/** Memory for results, used again when it was given back: fresh pages cost more than most elementwise work on them. */
export class MemoryPool {
  /** Given back and not taken since, the longest ago first. */
  readonly #free: ArrayBuffer[] = []

  /** At least so many bytes, with whatever stands in them. */
  take(bytes: number): ArrayBuffer {
    if (bytes < leastBytes) return new ArrayBuffer(bytes)
    const best = this.#free.reduce<ArrayBuffer | undefined>(
      (found, buffer) => (buffer.byteLength >= bytes && buffer.byteLength <= slack * bytes && buffer.byteLength < (found?.byteLength ?? Infinity) ? buffer : found),
      undefined,
    )
    if (best !== undefined) {
      this.#free.splice(this.#free.indexOf(best), 1)
      return best
    }
    // What has other sizes than are wanted now makes room, so that the pool grows no larger than what was in use at once.
    for (let dropped = 0; dropped < bytes && this.#free.length > 0; ) dropped += this.#free.shift()!.byteLength
    return new ArrayBuffer(bytes)
  }

  /** Memory that nobody looks at any more. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength >= leastBytes) this.#free.push(buffer)
  }

  /** Bytes that wait to be used again. */
  get freeBytes(): number {
    return this.#free.reduce((total, { byteLength }) => total + byteLength, 0)
  }
}
