/** Lowering of the IR to ONNX (`lower.ts`, one total table) and the protobuf encoding of the result (`model.ts`). */
export { lower } from './lower.ts'
export { encodeModel, type OnnxModel } from './model.ts'
