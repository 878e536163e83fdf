import { basename } from 'node:path'
import { ProtobufWriter } from './protobuf.ts'

/** The part of ONNX's ModelProto (onnx.proto3) that lowered graphs use. Field numbers are those of that file. */
export interface OnnxModel {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly constants: readonly OnnxTensor[]
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  readonly metadata?: Readonly<Record<string, string>>
}

export type Attribute = { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] } | { readonly string: string }
export type Attributes = Readonly<Record<string, Attribute>>

export interface OnnxNode {
  readonly type: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
}

/** Bytes of a file, as they stand there. */
export interface FilePart {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

export interface OnnxTensor {
  readonly name: string
  readonly type: OnnxType
  readonly shape: readonly number[]
  /** Little-endian element bytes, here or in a file, which whoever opens the model looks for by its name in a folder that they say. */
  readonly data: Uint8Array | FilePart
}

export interface OnnxValueInfo {
  readonly name: string
  readonly type: OnnxType
  /** A number, or the name of a length that is known when the model runs. */
  readonly shape: readonly (number | string)[]
  /** Whether it is a sequence of such tensors. */
  readonly isSequence?: boolean
}

/** TensorProto.DataType. */
export const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 } as const
export type OnnxType = keyof typeof elementTypes

/** TensorProto.DataLocation. */
const externalData = 1

const irVersion = 10
/** Of the operators in ONNX's own domain. */
export const opset = 21
const contribOpset = 1

const writeAttribute = (writer: ProtobufWriter, name: string, attribute: Attribute): void => {
  writer.string(1, name)
  if ('float' in attribute) writer.float(2, attribute.float).int(20, 1)
  else if ('int' in attribute) writer.int(3, attribute.int).int(20, 2)
  else if ('string' in attribute) writer.string(4, attribute.string).int(20, 3)
  else {
    for (const value of attribute.ints) writer.int(8, value)
    writer.int(20, 7)
  }
}

const writeNode = (writer: ProtobufWriter, node: OnnxNode): void => {
  for (const name of node.inputs) writer.string(1, name)
  for (const name of node.outputs) writer.string(2, name)
  writer.string(3, node.outputs[0] ?? '').string(4, node.type)
  for (const [name, attribute] of Object.entries(node.attributes)) writer.message(5, (inner) => writeAttribute(inner, name, attribute))
  writer.string(7, node.domain)
}

const writeTensor = (writer: ProtobufWriter, tensor: OnnxTensor): void => {
  for (const length of tensor.shape) writer.int(1, length)
  writer.int(2, elementTypes[tensor.type]).string(8, tensor.name)
  if (tensor.data instanceof Uint8Array) {
    writer.bytes(9, tensor.data)
    return
  }
  const { path, offset, bytes } = tensor.data
  for (const [key, value] of Object.entries({ location: basename(path), offset, length: bytes })) writer.message(13, (entry) => entry.string(1, key).string(2, String(value)))
  writer.int(14, externalData)
}

const writeTensorType = (writer: ProtobufWriter, { type, shape }: OnnxValueInfo): ProtobufWriter =>
  writer.message(1, (tensorType) =>
    tensorType.int(1, elementTypes[type]).message(2, (shapeProto) => {
      for (const dim of shape) shapeProto.message(1, (dimProto) => (typeof dim === 'number' ? dimProto.int(1, dim) : dimProto.string(2, dim)))
    }),
  )

const writeValueInfo = (writer: ProtobufWriter, info: OnnxValueInfo): void => {
  writer.string(1, info.name).message(2, (typeProto) =>
    info.isSequence === true ? typeProto.message(4, (sequence) => sequence.message(1, (element) => writeTensorType(element, info))) : writeTensorType(typeProto, info),
  )
}

const write = (model: OnnxModel): ProtobufWriter => {
  const writer = new ProtobufWriter().int(1, irVersion).string(2, 'cald-studio')
  writer.message(7, (graph) => {
    for (const node of model.nodes) graph.message(1, (inner) => writeNode(inner, node))
    graph.string(2, model.name)
    for (const tensor of model.constants) graph.message(5, (inner) => writeTensor(inner, tensor))
    for (const value of model.inputs) graph.message(11, (inner) => writeValueInfo(inner, value))
    for (const value of model.outputs) graph.message(12, (inner) => writeValueInfo(inner, value))
  })
  writer.message(8, (inner) => inner.string(1, '').int(2, opset)).message(8, (inner) => inner.string(1, 'com.microsoft').int(2, contribOpset))
  for (const [key, value] of Object.entries(model.metadata ?? {})) writer.message(14, (inner) => inner.string(1, key).string(2, value))
  return writer
}

/** The model as the bytes of an .onnx file. */
export const encodeModel = (model: OnnxModel): Uint8Array => write(model).finish()

/** The bytes of an .onnx file in pieces, without a copy of the tensors. */
export const encodePieces = (model: OnnxModel): { readonly pieces: readonly Uint8Array[]; readonly bytes: number } => {
  const { pieces, length } = write(model)
  return { pieces, bytes: length }
}
