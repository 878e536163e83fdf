import { CounterRandom } from '../random.ts'

/** Flite's voices: two diphone voices of one man (at 8 and 16 kHz) and three statistical ones (a Scottish man, an American man, an American woman). */
export const voiceNames = ['kal', 'kal16', 'awb', 'rms', 'slt'] as const
export type VoiceName = (typeof voiceNames)[number]

/** A voice and how it is altered; 1 leaves it as it is. */
export interface Speaker {
  readonly name: string
  readonly voice: VoiceName
  /** Factor on the fundamental frequency. */
  readonly pitch: number
  /** Factor on the speed of speech. */
  readonly tempo: number
  /** Factor on the formants: above 1 a shorter vocal tract. */
  readonly tract: number
}

/** `variants` speakers of each voice, the first of them unaltered; each depends on (seed, voice, number) alone. */
export const speakersOf = (voices: readonly VoiceName[], variants: number, seed: number): Speaker[] =>
  voices.flatMap((voice) =>
    Array.from({ length: variants }, (_, number) => {
      const name = `${voice}-${number}`
      if (number === 0) return { name, voice, pitch: 1, tempo: 1, tract: 1 }
      const random = new CounterRandom(seed, 'speaker', voice, number)
      const between = (low: number, high: number): number => low * (high / low) ** random.nextFloat()
      return { name, voice, pitch: between(0.8, 1.3), tempo: between(0.8, 1.25), tract: between(0.88, 1.14) }
    }),
  )
