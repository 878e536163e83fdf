import { viewOf, type ParameterLayout, type ParameterPlace } from '../models/index.ts'
import type { Device, DeviceTensor, OutputMemory } from '../runtime/index.ts'
import type { Gradient } from './learning/learner.ts'
import { gradientNorm } from './optimiser/clip.ts'

/**
 * The gradient of all parameters in this process's memory. What comes first at a place may be written where it stands, which saves clearing and
 * adding: three passes over memory.
 */
export class GradientSum implements Gradient {
  scale = 1
  readonly #layout: ParameterLayout
  readonly #sum: Float32Array
  /** Offsets of the places where something of this update stands; the others hold what is left of the one before. */
  readonly #written = new Set<number>()

  readonly #normOf: (values: Float32Array) => Promise<number>

  /** `normOf`: the Euclidean norm of a vector of the layout's size. */
  constructor(layout: ParameterLayout, normOf = (values: Float32Array): Promise<number> => Promise.resolve(gradientNorm([values]))) {
    this.#layout = layout
    this.#normOf = normOf
    this.#sum = new Float32Array(layout.size)
  }

  clear(): void {
    this.#written.clear()
  }

  memoryOf(stage: string): OutputMemory {
    return Object.fromEntries(this.#layout.stage(stage).map((place) => [`d.${place.local}`, this.memory(place)]))
  }

  async take(stage: string, outputs: Readonly<Record<string, DeviceTensor>>, device: Device): Promise<void> {
    for (const place of this.#layout.stage(stage)) {
      const tensor = outputs[`d.${place.local}`]
      if (tensor === undefined) continue
      const { data } = await device.read(tensor)
      this.add(place, data as Float32Array)
      tensor.dispose()
    }
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

  /** What stands in `other` alone is added; a place where nothing does is left. */
  addScaled(other: GradientSum, factor: number): Promise<void> {
    for (const place of this.#layout.places) if (other.#written.has(place.offset)) this.add(place, viewOf(other.#sum, place).map((value) => factor * value))
    return Promise.resolve()
  }

  async norm(): Promise<number> {
    return (await this.#normOf(this.values)) / this.scale
  }

  read(): Promise<Float32Array> {
    const { values, scale } = this
    return Promise.resolve(scale === 1 ? values : values.map((value) => value / scale))
  }

  /** `scale` times the gradient as it stands here; zero where nothing was added. */
  get values(): Float32Array {
    for (const place of this.#layout.places) {
      if (this.#written.has(place.offset)) continue
      viewOf(this.#sum, place).fill(0)
      this.#written.add(place.offset)
    }
    return this.#sum
  }
}
