import type { TrainingSettings } from '../../contract/index.ts'
import type { ParameterPlace, SpeechModel } from '../../models/index.ts'
import type { AdamWSegment } from './adamw.ts'
import type { Schedule } from './schedule.ts'

/** The learning rate's schedule as the settings describe it; it begins behind the mixers' phase. */
export const scheduleOf = ({ schedule, updates, mixerPhase }: TrainingSettings): Schedule => {
  const { peak, warmupUpdates, plateauUpdates = 0, decay, floor } = schedule
  const left = Math.max(1, updates - warmupUpdates - plateauUpdates - (mixerPhase?.updates ?? 0))
  return { peak, warmupUpdates, plateauUpdates, decay: decay === 'none' ? { kind: 'none' } : { kind: decay, updates: schedule.decayUpdates ?? left, floor } }
}

type DecaySettings = Pick<TrainingSettings, 'weightDecay' | 'decayScope'>

/** By the name in a checkpoint, as the authors choose: dt_bias, A_log, D, weight norm's magnitudes, masked_spec_embed and norms of other names are decayed too. */
const decayedByAuthors = (name: string): boolean => {
  const [last, module] = name.split('.').reverse()
  return last !== 'bias' && module !== 'layer_norm'
}

/** The weight decay of one parameter; none of what does not learn from gradients. */
export const decayOf = ({ name, decay, trained }: Pick<ParameterPlace, 'name' | 'decay' | 'trained'>, { weightDecay, decayScope }: DecaySettings): number =>
  (decayScope === 'authors' ? trained && decayedByAuthors(name) : decay) ? weightDecay : 0

/** Trained parameters as the optimiser's groups, runs of equal decay merged. */
export const segmentsOf = ({ layout }: SpeechModel, settings: DecaySettings & Pick<TrainingSettings, 'freezeFrontend'>): AdamWSegment[] => {
  const segments: AdamWSegment[] = []
  for (const place of layout.places) {
    const { stage, offset, size } = place
    if (settings.freezeFrontend && stage === 'frontend') continue
    const own = decayOf(place, settings)
    const last = segments.at(-1)
    if (last?.weightDecay === own && last.offset + last.length === offset) segments[segments.length - 1] = { ...last, length: last.length + size }
    else segments.push({ offset, length: size, weightDecay: own })
  }
  return segments
}
