import { z } from 'zod'
import { wrongField } from '../checkpoint/index.ts'
import { ConfigError } from '../errors.ts'

const preprocessorSchema = z.looseObject({
  sampling_rate: z.int().positive().default(16000),
  do_normalize: z.boolean().default(true),
  feature_size: z.literal(1).default(1),
  padding_value: z.literal(0).default(0),
})

/** The part of preprocessor_config.json that decides what a model hears. */
export type Preprocessor = z.infer<typeof preprocessorSchema>

/** Reads a preprocessor_config.json; ConfigError says which key holds what. */
export const parsePreprocessor = (value: unknown, path: string): Preprocessor => {
  const parsed = preprocessorSchema.safeParse(value ?? {})
  if (parsed.success) return parsed.data
  throw new ConfigError(`${path}: ${wrongField(parsed.error, value)}`)
}

/** Zero mean and unit variance over the utterance, as HF's Wav2Vec2FeatureExtractor (population variance + 1e-7 under the root). */
export const normaliseAudio = (samples: Float32Array): Float32Array => {
  let total = 0
  for (const sample of samples) total += sample
  const mean = total / samples.length
  let squares = 0
  for (const sample of samples) squares += (sample - mean) ** 2
  const scale = 1 / Math.sqrt(squares / samples.length + 1e-7)
  return samples.map((sample) => (sample - mean) * scale)
}
