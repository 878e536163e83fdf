import { ConfigError } from '../errors.ts'
import { mixerSchema, type MixerInput } from '../contract/index.ts'
import { inheritAttention, inheritedMixer, setMixerShare } from './inherit.ts'
import { carriedOver, checkMixer, configWithHead, headOf, studentModelType, type SpeechModel, type Wav2Vec2Config } from '../models/index.ts'

/** The configuration of a student of `config`: the same model with bidirectional Mamba2 mixers in place of attention. */
export const studentConfig = (config: Wav2Vec2Config, mixer: MixerInput): Wav2Vec2Config => {
  if (config.mixer !== undefined) throw new ConfigError(`expected a transformer to convert, found a model of type ${config.model_type}`)
  const student: Wav2Vec2Config = { ...config, model_type: studentModelType, mixer: { kind: 'biMamba2', ...mixerSchema.parse(mixer) } }
  checkMixer(student.mixer!, config.hidden_size, 'the student')
  return configWithHead(student, headOf(config))
}

/** A student that keeps every parameter of `start` but the attention layers'; its mixers, of the shape given, take their initial values from the seed, or all from the attention. */
export const studentFrom = (start: SpeechModel, mixer: MixerInput | 'inherited', seed: number, { switched = false } = {}): SpeechModel => {
  const student = carriedOver(start, studentConfig(start.config, mixer === 'inherited' ? inheritedMixer(start.config, switched) : mixer), seed)
  if (mixer === 'inherited') inheritAttention(student, start)
  setMixerShare(student, student.parameters, 0)
  return student
}
