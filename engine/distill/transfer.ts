import { ConfigError } from '../errors.ts'
import { mixerSchema, type MixerInput } from '../contract/index.ts'
import { inheritAttention, inheritedMixer } from './inherit.ts'
import { checkMixer, initialise, layoutOf, studentModelType, viewOf, type SpeechModel, type Wav2Vec2Config } from '../models/index.ts'

/** The configuration of a student of `config`: the same model with bidirectional Mamba2 mixers in place of attention. */
export const studentConfig = (config: Wav2Vec2Config, mixer: MixerInput): Wav2Vec2Config => {
  if (config.mixer !== undefined) throw new ConfigError(`expected a transformer to convert, found a model of type ${config.model_type}`)
  const student = { ...config, model_type: studentModelType, architectures: ['CaldWav2Vec2BiMamba2ForCTC'], mixer: { kind: 'biMamba2', ...mixerSchema.parse(mixer) } } as const
  checkMixer(student.mixer, config.hidden_size, 'the student')
  return { ...student, architectures: [...student.architectures] }
}

/** A student that keeps every parameter of `start` but the attention layers'; its mixers, of the shape given, take their initial values from the seed, or all from the attention. */
export const studentFrom = (start: SpeechModel, mixer: MixerInput | 'inherited', seed: number): SpeechModel => {
  const config = studentConfig(start.config, mixer === 'inherited' ? inheritedMixer(start.config) : mixer)
  const layout = layoutOf(config)
  const parameters = new Float32Array(layout.size)
  const kept = new Map(start.layout.places.map((place) => [place.name, place]))
  const fresh = layout.places.filter((place) => {
    const source = kept.get(place.name)
    if (source === undefined) return true
    viewOf(parameters, place).set(viewOf(start.parameters, source))
    return false
  })
  initialise(parameters, layout, fresh, seed)
  const student = { config, layout, parameters }
  if (mixer === 'inherited') inheritAttention(student, start)
  return student
}
