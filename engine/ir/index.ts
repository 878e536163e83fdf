/**
 * The intermediate representation: immutable graphs of typed operations over tensors with symbolic lengths.
 * `ops.ts` lists the operations, `infer.ts` their shapes, `build.ts` makes nodes, `graph.ts` collects, verifies and prints,
 * `reference.ts` evaluates plainly in float64. A total table over the operations stands here and in autodiff and onnx.
 */
export * from './build.ts'
export { addDims, evaluateShape, floorDivDim, foldDim, formatShape, mulDims, sameDim, sameShape, sizeOf, subDims, variable, variableName } from './dim.ts'
export type { Bindings, Dim, DimArithmetic, Shape } from './dim.ts'
export { bindShapes, graph, print, topologicalOrder, verify, type Graph } from './graph.ts'
export { convLength, formatType } from './infer.ts'
export { peakLiveBytes } from './liveness.ts'
export { maskedScore } from './ops.ts'
export type { AnyValue, Conv1d, DType, Op, OpParams, TensorType, Value } from './ops.ts'
export { dense, evaluateReference, type Dense } from './reference.ts'
export { substitute } from './substitute.ts'
export { matrixWork } from './work.ts'
