import type { Graph } from '../../ir/index.ts'
import type { Precision } from '../../onnx/index.ts'
import type { ParameterPlace } from '../../models/index.ts'
import type { Device, DeviceTensor, OutputMemory } from '../../runtime/index.ts'
import type { LossScale } from './lossScale.ts'
import type { AdamWState, AdamWStep } from '../optimiser/adamw.ts'

/** How the programs of a model's stages come by its parameters. */
export interface StageWeights {
  /** The program of a stage as it takes its parameters from here and hands out their gradients. */
  adapt(built: Graph, stage: string): Graph
  /** The parameters among a program's inputs. They stay these weights' own. */
  inputs(stage: string, adapted: Graph): Promise<Record<string, DeviceTensor>>
  /** Inputs of an adapted program that are parameters. */
  names(stage: string): ReadonlySet<string>
  /** Forgets what is on the device; it goes up again from the model when it is next wanted. */
  dispose(): void
}

/** The gradient of all parameters, summed over the micro-batches of an update. */
export interface Gradient {
  /** What losses are multiplied by before gradients are taken of them, so that float16 holds small ones; the sum is `scale` times what `norm` and `read` tell. */
  scale: number
  /** Makes the sum zero. */
  clear(): void
  /** Where a backward program of the stage may write gradients, before they are taken. */
  memoryOf(stage: string): OutputMemory
  /** Adds the gradients among the outputs of a backward program of a stage, and disposes of them. */
  take(stage: string, outputs: Readonly<Record<string, DeviceTensor>>, device: Device): Promise<void>
  /** Adds `factor` times another gradient of this model on this device. */
  addScaled(other: Gradient, factor: number): Promise<void>
  /** The Euclidean norm; infinite or NaN when an element is. */
  norm(): Promise<number>
  /** The sum, one number a parameter; zero where nothing was added. */
  read(): Promise<Float32Array>
}

export interface LearnerState extends AdamWState {
  readonly parameters: Float32Array
  /** Exponential average of the parameters, where one is kept. */
  readonly averaged: Float32Array | undefined
  /** What a `LossScale` keeps, where programs compute in float16. */
  readonly lossScale: Float32Array | undefined
}

export interface LearnerOptions {
  /** A copy of the parameters that becomes their average, where one is to be kept. */
  readonly averaged?: Float32Array | undefined
  /** Float type of the programs that compute gradients; default: float32. */
  readonly precision?: Precision | undefined
}

/**
 * A model's parameters while they learn: where its programs find them, the gradient of an update, and the moments of AdamW. On a device with
 * memory of its own all of it lives there; what `state` holds is as it was when it last came back, and goes up once, when it is first wanted.
 */
export interface Learner {
  readonly weights: StageWeights
  readonly gradient: Gradient
  readonly state: LearnerState
  /** Of float16 programs; 1 and never moved for others. */
  readonly lossScale: LossScale
  /** Makes the gradient zero, for an update to begin. */
  begin(): void
  /** AdamW with what stands in `gradient`. */
  step(options: AdamWStep): Promise<void>
  /** Moves the average an update on (optimiser/weightAverage.ts). */
  follow(decay: number, update: number): Promise<void>
  /** Sets parameters, in the average too. */
  assign(places: readonly ParameterPlace[], value: number): Promise<void>
  /** Makes the moments zero. */
  forgetMoments(): void
  /** Brings what `state` holds up to date: parameters and their average, and the moments if wanted. */
  fetch(what: 'weights' | 'all'): Promise<void>
  dispose(): Promise<void>
}
