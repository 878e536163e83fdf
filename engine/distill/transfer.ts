import { ConfigError } from '../errors.ts'
import type { MixerSettings } from '../contract/index.ts'
import { checkMixer, initialise, layoutOf, studentModelType, viewOf, type SpeechModel, type Wav2Vec2Config } from '../models/index.ts'

/** The configuration of a student of `config`: the same model with bidirectional Mamba2 mixers in place of attention. */
export const studentConfig = (config: Wav2Vec2Config, mixer: MixerSettings): Wav2Vec2Config => {
  if (config.mixer !== undefined) throw new ConfigError(`expected a transformer to convert, found a model of type ${config.model_type}`)
  const student = { ...config, model_type: studentModelType, architectures: ['CaldWav2Vec2BiMamba2ForCTC'], mixer: { kind: 'biMamba2', ...mixer } } as const
  checkMixer(student.mixer, config.hidden_size, 'the student')
  return { ...student, architectures: [...student.architectures] }
}

/** A student that keeps every parameter of `start` but the attention layers'; its mixers take their initial values from the seed. */
export const studentFrom = (start: SpeechModel, mixer: MixerSettings, seed: number): SpeechModel => {
  const config = studentConfig(start.config, mixer)
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
  return { config, layout, parameters }
}
