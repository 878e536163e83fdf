import { viewOf, type ParameterLayout, type ParameterPlace } from '../models/index.ts'

/** The gradient of all parameters, summed over the micro-batches of an update. What comes first at a place may be written where it stands, which saves clearing and adding: three passes over memory. */
export class GradientSum {
  readonly #layout: ParameterLayout
  readonly #sum: Float32Array
  /** Offsets of the places where something of this update stands; the others hold what is left of the one before. */
  readonly #written = new Set<number>()

  constructor(layout: ParameterLayout) {
    this.#layout = layout
    this.#sum = new Float32Array(layout.size)
  }

  /** Makes the sum zero. */
  clear(): void {
    this.#written.clear()
  }

  /** Where a gradient that is the first of its place may be written, before it is added; undefined when there is a sum already. */
  memory(place: ParameterPlace): Float32Array | undefined {
    return this.#written.has(place.offset) ? undefined : viewOf(this.#sum, place)
  }

  /** Adds a gradient, which may stand in the place's own memory. */
  add(place: ParameterPlace, gradient: Float32Array): void {
    const sum = viewOf(this.#sum, place)
    if (this.#written.has(place.offset)) for (let i = 0; i < gradient.length; i++) sum[i]! += gradient[i]!
    else if (gradient.buffer !== sum.buffer || gradient.byteOffset !== sum.byteOffset) sum.set(gradient)
    this.#written.add(place.offset)
  }

  /** The sum, one number a parameter; zero where nothing was added. */
  get values(): Float32Array {
    for (const place of this.#layout.places) {
      if (this.#written.has(place.offset)) continue
      viewOf(this.#sum, place).fill(0)
      this.#written.add(place.offset)
    }
    return this.#sum
  }
}
