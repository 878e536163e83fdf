/**
 * Where graphs run: devices, compiled programs and tensors that stay on the device (`device.ts`), and their implementations on
 * ONNX Runtime (`onnxruntime.ts`, `webgpu.ts`), and which of them are usable here (`probe.ts`); ONNX files as others run them (`onnxFile.ts`). Nothing else imports it.
 */
import { availableParallelism } from 'node:os'
import type { Device, DeviceName } from './device.ts'
import { openCpu } from './onnxruntime.ts'
import { openWebGpu } from './webgpu.ts'

export { bool, float32, int32 } from './device.ts'
export { chooseDevice, choosePrecision, probeDevices, type DeviceState } from './probe.ts'
export { openOnnxFile, type FileTensor, type OnnxFile } from './onnxFile.ts'
export type { FilePart } from '../onnx/index.ts'
export type { CompileOptions, Device, DeviceName, DeviceTensor, HostTensor, OutputMemory, Program, TensorData } from './device.ts'

/** Opens a device, which a job has chosen with `chooseDevice`. */
export const openDevice = (name: DeviceName, { threads = availableParallelism(), profile }: { threads?: number; profile?: string } = {}): Device =>
  name === 'webgpu' ? openWebGpu() : openCpu(threads, profile)
