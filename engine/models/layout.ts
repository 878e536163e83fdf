import type { Parameters, ParameterSpec } from '../nn/index.ts'

/** A parameter's place in the flat vector that holds a model's parameters, gradients or moments. */
export interface ParameterPlace extends ParameterSpec {
  /** The name inside its stage; `name` is the name in a checkpoint. */
  readonly local: string
  readonly stage: string
  readonly offset: number
  readonly size: number
}

/** The stages of a model in the order in which data passes them, with all parameters laid end to end. */
export interface ParameterLayout {
  readonly places: readonly ParameterPlace[]
  readonly size: number
  stage(name: string): readonly ParameterPlace[]
}

/** Lays out the parameters that each stage's scope collected; `prefix` joins a stage's local names to checkpoint names. */
export const layOut = (stages: readonly { stage: string; prefix: string; parameters: Parameters }[]): ParameterLayout => {
  const places: ParameterPlace[] = []
  const byStage = new Map<string, ParameterPlace[]>()
  let offset = 0
  for (const { stage, prefix, parameters } of stages) {
    const own = parameters.specs.map((spec) => {
      const place = { ...spec, name: prefix + spec.name, local: spec.name, stage, offset, size: spec.shape.reduce((a, b) => a * b, 1) }
      offset += place.size
      return place
    })
    places.push(...own)
    byStage.set(stage, own)
  }
  return { places, size: offset, stage: (name) => byStage.get(name) ?? [] }
}

/** The part of a flat vector that belongs to a parameter, as a view. */
export const viewOf = (vector: Float32Array, { offset, size }: ParameterPlace): Float32Array => vector.subarray(offset, offset + size)
