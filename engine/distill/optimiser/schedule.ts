import { UsageError } from '../../errors.ts'

/** How the learning rate goes from `peak` down to `floor` in `updates` updates; after them it stays at the floor. */
export type Decay =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear' | 'cosine' | 'exponential'; readonly updates: number; readonly floor: number }

/** A learning rate over the updates of a run: a linear rise from 0 to the peak, a plateau, a decay. */
export interface Schedule {
  readonly peak: number
  readonly warmupUpdates: number
  /** Updates at the peak before the decay begins, 0 by default. */
  readonly plateauUpdates?: number
  readonly decay: Decay
}

/**
 * The learning rate of an update, the first being 0: with a warm-up the first update has learning rate 0, and update
 * `warmupUpdates` is the first at the peak. UsageError for a schedule that makes no sense.
 */
export function learningRate(schedule: Schedule, update: number): number {
  checkSchedule(schedule)
  const { peak, warmupUpdates, plateauUpdates = 0, decay } = schedule
  if (update < warmupUpdates) return (peak * update) / warmupUpdates
  const into = update - warmupUpdates - plateauUpdates
  if (into <= 0 || decay.kind === 'none') return peak
  const { updates, floor } = decay
  if (into >= updates) return floor
  const share = into / updates
  switch (decay.kind) {
    case 'linear':
      return peak + (floor - peak) * share
    case 'cosine':
      return floor + ((peak - floor) * (1 + Math.cos(Math.PI * share))) / 2
    case 'exponential':
      return peak * (floor / peak) ** share
  }
}

function checkSchedule({ peak, warmupUpdates, plateauUpdates = 0, decay }: Schedule): void {
  if (!(peak > 0 && peak < Infinity)) fail('a peak above 0', peak)
  const counts = { 'warm-up': warmupUpdates, plateau: plateauUpdates, decay: decay.kind === 'none' ? 0 : decay.updates }
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isInteger(count) || count < 0) fail(`a whole number of ${name} updates`, count)
  }
  if (decay.kind === 'none') return
  const { floor, kind } = decay
  if (!(floor >= 0 && floor <= peak)) fail(`a floor from 0 to the peak ${peak}`, floor)
  if (kind === 'exponential' && floor === 0) fail('a floor above 0 for an exponential decay', floor)
}

function fail(expected: string, found: number): never {
  throw new UsageError(`learning rate: expected ${expected}, found ${found}`)
}
