import type { FixtureTensor } from '../../../fixtures/read.ts'
import { layoutOf, parseWav2Vec2Config, viewOf, type SpeechModel } from '../../models/index.ts'

export type Tensors = Record<string, FixtureTensor>

/** The model that a fixture stored: every tensor it holds, and no other. */
export const modelOf = (raw: Record<string, unknown>, weights: Tensors): SpeechModel => {
  const mixer = raw.mixer === undefined ? {} : { mixer: { kind: 'biMamba2', ...(raw.mixer as object) } }
  const config = parseWav2Vec2Config({ ...raw, ...mixer }, 'config.json')
  const layout = layoutOf(config)
  const parameters = new Float32Array(layout.size)
  const strangers = new Set(Object.keys(weights))
  for (const place of layout.places) {
    if (!strangers.delete(place.name)) throw new Error(`the fixture holds no ${place.name}`)
    viewOf(parameters, place).set(weights[place.name]!.data)
  }
  if (strangers.size > 0) throw new Error(`the model has no ${[...strangers].join(', ')}`)
  return { config, layout, parameters }
}

export const norm = (values: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]! ** 2
  return Math.sqrt(total)
}
