/**
 * Where graphs run: devices, compiled programs and tensors that stay on the device (`device.ts`), and their implementation on
 * ONNX Runtime (`onnxruntime.ts`); ONNX files as others run them (`onnxFile.ts`). Nothing else imports it.
 */
import { availableParallelism } from 'node:os'
import { UsageError } from '../errors.ts'
import type { Device } from './device.ts'
import { openCpu } from './onnxruntime.ts'

export { bool, float32, int32 } from './device.ts'
export { openOnnxFile, type FileTensor, type OnnxFile } from './onnxFile.ts'
export type { Device, DeviceName, DeviceTensor, HostTensor, Program, TensorData } from './device.ts'

/** Opens a device; `auto` is the best one that is usable. UsageError when the one named cannot be used. */
export const openDevice = (name: 'auto' | 'cpu' | 'webgpu', { threads = availableParallelism(), profile }: { threads?: number; profile?: string } = {}): Device => {
  if (name === 'webgpu') throw new UsageError("--device webgpu: expected 'cpu' or 'auto', since this version computes on the CPU only")
  return openCpu(threads, profile)
}
