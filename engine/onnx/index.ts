/**
 * Lowering of the IR to ONNX (`lower.ts`, one total table), where float16 models compute in float32 all the same (`precision.ts`), and the
 * protobuf encoding of the result (`model.ts`).
 */
export { cpuRules } from './cpu.ts'
export type { Emitter, LengthInput } from './emitter.ts'
export { lower, type LoweringOptions } from './lower.ts'
export { encodeModel, encodePieces, opset, type FilePart, type OnnxModel } from './model.ts'
export type { Precision } from './precision.ts'
export { webgpuRules } from './webgpu.ts'
