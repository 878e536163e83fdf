import type { TrainingSettings } from '../../contract/index.ts'
import type { SpeechModel } from '../../models/index.ts'
import type { AdamWSegment } from './adamw.ts'
import type { Schedule } from './schedule.ts'

/** The learning rate's schedule as the settings describe it; it begins behind the mixers' phase. */
export const scheduleOf = ({ schedule, updates, mixerPhase }: TrainingSettings): Schedule => {
  const { peak, warmupUpdates, plateauUpdates = 0, decay, floor } = schedule
  const left = Math.max(1, updates - warmupUpdates - plateauUpdates - (mixerPhase?.updates ?? 0))
  return { peak, warmupUpdates, plateauUpdates, decay: decay === 'none' ? { kind: 'none' } : { kind: decay, updates: schedule.decayUpdates ?? left, floor } }
}

/** Trained parameters as the optimiser's groups, runs of equal decay merged. */
export const segmentsOf = ({ layout }: SpeechModel, { freezeFrontend, weightDecay }: Pick<TrainingSettings, 'freezeFrontend' | 'weightDecay'>): AdamWSegment[] => {
  const segments: AdamWSegment[] = []
  for (const { stage, offset, size, decay } of layout.places) {
    if (freezeFrontend && stage === 'frontend') continue
    const own = decay ? weightDecay : 0
    const last = segments.at(-1)
    if (last?.weightDecay === own && last.offset + last.length === offset) segments[segments.length - 1] = { ...last, length: last.length + size }
    else segments.push({ offset, length: size, weightDecay: own })
  }
  return segments
}
