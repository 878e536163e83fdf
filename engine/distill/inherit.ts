import type { MixerInput, TrainingSettings } from '../contract/index.ts'
import { layerStage, viewOf, type ParameterPlace, type SpeechModel, type Wav2Vec2Config } from '../models/index.ts'

/**
 * The mixer that can start as the attention it replaces: one group and one head for each head of the attention, states as wide as a head,
 * and none of Mamba2's activation, gate and norm, or all of them with a share of nothing that a run may raise (`switched`).
 */
export const inheritedMixer = ({ hidden_size, num_attention_heads }: Wav2Vec2Config, switched: boolean): MixerInput => {
  const headSize = hidden_size / num_attention_heads
  const shape = { expand: 1, dState: headSize, dConv: 4, headdim: headSize, ngroups: num_attention_heads }
  return switched ? { ...shape, blend: true } : { ...shape, convActivation: 'none', gate: 'none', norm: 'none' }
}

/** The share that activation, gate and norm have in an update (0-based): 0 up to `after`, then rising evenly to 1 over `over` updates. */
export const mixerShare = ({ after, over }: NonNullable<TrainingSettings['mixerSwitch']>, update: number): number => Math.min(1, Math.max(0, (update + 1 - after) / over))

/** Where every mixer has that share. */
export const mixerSharePlaces = ({ layout }: Pick<SpeechModel, 'layout'>): ParameterPlace[] => layout.places.filter(({ local }) => local.endsWith('_mamba.blend'))

/** Sets that share in every mixer of `parameters`. */
export const setMixerShare = (model: Pick<SpeechModel, 'layout'>, parameters: Float32Array, share: number): void => {
  for (const place of mixerSharePlaces(model)) viewOf(parameters, place).fill(share)
}

/** Frames over which a state of an inherited mixer fades to 1/e; it weights what it hears by the reciprocal, so that it begins as a running mean. */
export const horizon = 25

/**
 * Starts a student's mixers (of `inheritedMixer`'s shape) as the linear attention nearest to the attention of `start`: C, B and x from its query (times
 * 1/√head size), key and value projections, their biases in the convolution's, the convolution as identity, Δ constant, A = −1, no skip, and half
 * of its output projection in each direction:
 *     y_t = ½ Σ over both directions of Σ_u exp(−|t−u|/horizon) / horizon · (q_t·k_u / √d) v_u, through the output projection.
 * The bias of the output projection has no place in Mamba2.
 */
export const inheritAttention = (student: SpeechModel, start: SpeechModel): void => {
  const { hidden_size: width, num_attention_heads: heads, num_hidden_layers: layers } = start.config
  const scale = 1 / Math.sqrt(width / heads)
  for (let layer = 0; layer < layers; layer++) {
    const attention = viewsOf(start, layer)
    for (const direction of ['fw_mamba', 'bw_mamba']) {
      const mixer = viewsOf(student, layer, direction)
      const whole = mixer('in_proj.weight')
      // The rows of a gate, which come first, keep their random weights.
      const projection = whole.subarray(whole.length - (3 * width + heads) * width).fill(0)
      const bias = mixer('conv1d.bias')
      for (const [i, [name, factor]] of ([['v_proj', 1], ['k_proj', 1], ['q_proj', scale]] as const).entries()) {
        projection.set(attention(`${name}.weight`).map((value) => value * factor), i * width * width)
        bias.set(attention(`${name}.bias`).map((value) => value * factor), i * width)
      }
      const kernel = mixer('conv1d.weight').fill(0)
      const taps = kernel.length / (3 * width)
      for (let channel = 0; channel < 3 * width; channel++) kernel[channel * taps + taps - 1] = 1
      mixer('dt_bias').fill(Math.log(Math.expm1(1 / horizon)))
      mixer('A_log').fill(0)
      mixer('D').fill(0)
      mixer('out_proj.weight').set(attention('out_proj.weight').map((value) => value / 2))
    }
  }
}

/** The vectors of a layer's attention, or of one direction of its mixer, by their names there. */
const viewsOf = ({ layout, parameters }: SpeechModel, layer: number, direction?: string): ((name: string) => Float32Array) => {
  const scope = direction === undefined ? 'attention.' : `attention.${direction}.`
  const places = new Map<string, ParameterPlace>(layout.stage(layerStage(layer)).map((place) => [place.local, place]))
  return (name) => viewOf(parameters, places.get(scope + name)!)
}
