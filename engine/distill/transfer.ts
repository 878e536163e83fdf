import { ConfigError } from '../errors.ts'
import type { MixerSettings } from '../contract/index.ts'
import { carriedOver, checkMixer, configWithHead, headOf, studentModelType, type SpeechModel, type Wav2Vec2Config } from '../models/index.ts'

/** The configuration of a student of `config`: the same model with bidirectional Mamba2 mixers in place of attention. */
export const studentConfig = (config: Wav2Vec2Config, mixer: MixerSettings): Wav2Vec2Config => {
  if (config.mixer !== undefined) throw new ConfigError(`expected a transformer to convert, found a model of type ${config.model_type}`)
  const student: Wav2Vec2Config = { ...config, model_type: studentModelType, mixer: { kind: 'biMamba2', ...mixer } }
  checkMixer(student.mixer!, config.hidden_size, 'the student')
  return configWithHead(student, headOf(config))
}

/** A student that keeps every parameter of `start` but the attention layers'; its mixers take their initial values from the seed. */
export const studentFrom = (start: SpeechModel, mixer: MixerSettings, seed: number): SpeechModel => carriedOver(start, studentConfig(start.config, mixer), seed)
