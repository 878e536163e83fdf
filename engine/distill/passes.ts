import { float32, type Device, type DeviceTensor } from '../runtime/index.ts'
import type { SpeechBatch } from '../models/index.ts'
import type { Gradient } from './learning/index.ts'
import type { BatchContext, Guide, Kept, StageRunner } from './runner.ts'

/** What a forward pass over the stages leaves behind, for its backward pass and for those it teaches. */
export interface Pass {
  /** [batch, time, channels] of the frontend; whoever made the pass owns it. */
  readonly features: DeviceTensor
  /** The encoder's input and the output of each layer: N + 1. */
  readonly inputs: readonly DeviceTensor[]
  /** What each layer kept for its backward pass, and behind them the projection; undefined where it will be computed again. */
  readonly kept: (Kept | undefined)[]
  /** The last hidden state, behind the final norm where there is one. */
  readonly last: DeviceTensor
  /** What the head makes of it, of shape `logitsShape`. */
  readonly logits: Float32Array
  readonly logitsShape: readonly number[]
  /** Layers that were left out: what went in came out, and nothing teaches them. */
  readonly dropped: ReadonlySet<number>
}

/** The most memory for what layers keep until their backward pass, in bytes (docs/decisions/0090). */
export const mostKeptBytes = 512 * 2 ** 20

interface PassOptions {
  /** Layers to leave out. */
  readonly dropped?: ReadonlySet<number> | undefined
  /** Of a pass that will be gone back over: memory for what cost most to compute. */
  readonly keep?: number
}

/** Runs the projection, the layers but those dropped, and the head over a frontend's features. */
export const forwardPass = async (device: Device, runner: StageRunner, features: DeviceTensor, batch: BatchContext, { dropped = new Set(), keep = 0 }: PassOptions = {}): Promise<Pass> => {
  const count = runner.keptWithin(keep, batch)
  const kept: (Kept | undefined)[] = []
  const projected = count === 0 ? { y: await runner.projection(features, batch), kept: undefined } : await runner.keepingProjection(features, batch)
  const inputs = [projected.y]
  for (let i = 0; i < runner.layers; i++) {
    const x = inputs[i]!
    const layer = dropped.has(i) ? { y: x, kept: undefined } : count === 0 ? { y: await runner.layer(i, x, batch), kept: undefined } : await runner.keepingLayer(i, x, batch, count)
    inputs.push(layer.y)
    kept.push(layer.kept)
  }
  kept.push(projected.kept)
  const { hidden, logits } = await runner.head(inputs[runner.layers]!, batch)
  const { data, shape } = await device.read(logits)
  logits.dispose()
  return { features, inputs, kept, last: hidden, logits: data as Float32Array, logitsShape: shape, dropped }
}

/** The N hidden states that the layerwise loss compares: the outputs of the layers, the last one behind the final norm. */
export const hiddenStates = ({ inputs, last }: Pass): DeviceTensor[] => [...inputs.slice(1, -1), last]

/** Frees what a pass holds but its features; with what layers kept, where no backward pass came by. */
export const disposePass = ({ inputs, kept, last }: Pass): void => {
  for (const tensor of new Set([...inputs, last, ...kept.flatMap((own) => Object.values(own ?? {}))])) tensor.dispose()
}

/** Uses what a stage kept, which is forgotten with that: memory falls while the backward pass goes down. */
const consume = async <T>(kept: Pass['kept'], index: number, use: (own: Kept | undefined) => Promise<T>): Promise<T> => {
  const own = kept[index]
  kept[index] = undefined
  const result = await use(own)
  for (const tensor of Object.values(own ?? {})) tensor.dispose()
  return result
}

/**
 * Goes back over a pass, adds the gradient of every parameter to `gradient`, and returns the weighted alignment loss of each layer.
 * `guides` has one guide a layer, or none; `audio` is there when the frontend is trained.
 */
export const backwardPass = async (
  runner: StageRunner,
  { features, inputs, kept, logitsShape, dropped }: Pass,
  dLogits: Float32Array,
  batch: BatchContext,
  gradient: Gradient,
  { guides, audio }: { guides: readonly Guide[] | undefined; audio: SpeechBatch | undefined },
): Promise<number[]> => {
  const { layers } = runner
  const guideOf = (layer: number): Guide | undefined => (dropped.has(layer) ? undefined : guides?.[layer])
  const losses = new Array<DeviceTensor | undefined>(layers).fill(undefined)
  let { dx, alignment } = await runner.headBackward(inputs[layers]!, float32(dLogits, logitsShape), batch, gradient, guideOf(layers - 1))
  losses[layers - 1] = alignment
  for (let i = layers - 1; i >= 0; i--) {
    if (dropped.has(i)) continue
    const above = dx!
    // The last layer's hidden state was compared in the head, behind the final norm.
    ;({ dx, alignment } = await consume(kept, i, (own) => runner.layerBackward(i, inputs[i]!, above, batch, gradient, i < layers - 1 ? guideOf(i) : undefined, own)))
    if (i < layers - 1) losses[i] = alignment
    above.dispose()
  }
  const { dx: dFeatures } = await consume(kept, layers, (own) => runner.projectionBackward(features, dx!, batch, gradient, own))
  dx!.dispose()
  if (audio !== undefined) await runner.frontendBackward(audio, dFeatures!, gradient)
  dFeatures?.dispose()
  const told: number[] = []
  for (const loss of losses) told.push(await runner.loss(loss))
  return told
}
