/** A curve as it is drawn: smoothed over the whole of it first, then thinned, so that thinning hides no peak that smoothing would show. */
export const smoothed = (values: readonly (number | null)[], weight: number): (number | null)[] => {
  let mean: number | undefined
  // A mean that starts at 0 is divided by the weight that it has seen (as Adam's moments are).
  let seen = 0
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null
    mean = weight * (mean ?? 0) + (1 - weight) * value
    seen = weight * seen + (1 - weight)
    return mean / seen
  })
}

/** Every n-th place so that at most `most` are left, the last among them. */
export const thinned = (length: number, most: number): number[] => {
  const step = Math.max(1, Math.ceil(length / most))
  const places: number[] = []
  for (let i = (length - 1) % step; i < length; i += step) places.push(i)
  return places
}
