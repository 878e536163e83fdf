import type { Precision } from '../../onnx/index.ts'

/** As torch.amp.GradScaler starts, and about as much as gradients of a mean loss bear. */
const initial = 2 ** 16
const largest = 2 ** 24
/** Updates without an overflow after which it doubles. */
const patience = 2000

/**
 * The factor that keeps the small gradients of float16 programs above zero and the large ones finite: halved when one overflows, doubled after
 * 2000 updates in which none did. Powers of two, so that scaling changes no digit.
 */
export class LossScale {
  /** The scale, updates since it last moved, and updates that overflowed; undefined for programs in float32. */
  readonly state: Float32Array | undefined

  constructor(precision: Precision = 'float32') {
    this.state = precision === 'float16' ? Float32Array.of(initial, 0, 0) : undefined
  }

  get value(): number {
    return this.state?.[0] ?? 1
  }

  /** Updates that changed nothing, since `forgetOverflows`. */
  get overflows(): number {
    return this.state?.[2] ?? 0
  }

  /** Takes note of an update, whether its gradient was finite. Returns whether a gradient that was not is the scale's doing, as far as one can tell: whether there was room below. */
  follow(finite: boolean): boolean {
    if (this.state === undefined) return false
    const [scale, calm, overflows] = this.state as unknown as [number, number, number]
    if (finite) {
      if (calm + 1 < patience || scale === largest) this.state[1] = Math.min(calm + 1, patience)
      else this.state.set([2 * scale, 0])
      return true
    }
    if (scale <= 1) return false
    this.state.set([scale / 2, 0, overflows + 1])
    return true
  }

  /** Counts overflows from zero again. */
  forgetOverflows(): void {
    this.state?.fill(0, 2)
  }
}
