import type { Utterance } from './utterance.ts'

/**
 * Speed perturbation (Ko et al. 2015, "Audio augmentation for speech recognition"): every utterance at each of the speeds, as if its
 * recording were played faster or slower, so that tempo, pitch and vocal tract change together.
 */
export const atSpeeds = (utterances: readonly Utterance[], speeds: readonly number[]): Utterance[] =>
  speeds.flatMap((speed) => utterances.map((utterance) => (speed === 1 ? utterance : { ...utterance, id: `${utterance.id}@${speed}`, duration: utterance.duration / speed, speed })))

/** Every utterance as it is, and through so many random channels (an equaliser and noise) of its own. */
export const throughChannels = (utterances: readonly Utterance[], channels: number): Utterance[] => [
  ...utterances,
  ...Array.from({ length: channels }, (_, channel) => utterances.map((utterance) => ({ ...utterance, id: `${utterance.id}~${channel + 1}`, channel: channel + 1 }))).flat(),
]

/** Hz; keeps the resampler's filters few and short. A speed is exact to the nearest rate of this grid: within 0.7 % at 16 kHz. */
const rateStep = 200

/** The rate to bring a recording to, so that read at `samplingRate` it plays at `speed`. */
export const rateAtSpeed = (samplingRate: number, speed: number): number => (speed === 1 ? samplingRate : Math.round(samplingRate / speed / rateStep) * rateStep)
