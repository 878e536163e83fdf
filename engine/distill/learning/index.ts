/**
 * A model's parameters while they learn (`learner.ts`): in this process's memory for a device that shares it (`host.ts`), else on the device
 * (`device.ts`), where the parameters of a stage are one tensor (`packing.ts`) and small programs update them (`updates.ts`).
 * `lossScale.ts` keeps gradients in the range of float16.
 */
import type { ParameterLayout, SpeechModel } from '../../models/index.ts'
import type { Device } from '../../runtime/index.ts'
import { GradientSum } from '../gradientSum.ts'
import { DeviceGradient, DeviceLearner, PackedWeights } from './device.ts'
import { HostLearner, HostWeights } from './host.ts'
import type { Gradient, Learner, LearnerOptions, StageWeights } from './learner.ts'

export type { Gradient, Learner, StageWeights } from './learner.ts'

/** The parameters of a model that does not learn, or not by a learner. */
export const openWeights = (device: Device, model: SpeechModel): StageWeights => (device.sharesMemory ? new HostWeights(device, model) : new PackedWeights(device, model))

export const openLearner = (device: Device, model: SpeechModel, options?: LearnerOptions): Learner =>
  device.sharesMemory ? new HostLearner(device, model, options) : new DeviceLearner(device, model, options)

/** A gradient besides a learner's own. */
export const openGradient = (device: Device, layout: ParameterLayout): Gradient => (device.sharesMemory ? new GradientSum(layout) : new DeviceGradient(device, layout))
