import { sameShape, type Value } from '../ir/index.ts'
import { tiledAttention } from './attention.ts'
import type { LoweringRules } from './lower.ts'
import { weightedProduct } from './product.ts'

const isZero = ({ op, params }: Value): boolean => op === 'constant' && (params as Value<'constant'>['params']).values.every((value) => value === 0)

/** Of the batch, and nothing that was computed to keep what is not finite out. */
const isGiven = ({ op, inputs }: Value): boolean => op === 'input' || (op === 'reshape' && isGiven(inputs[0]!))

/** What the CPU lowers otherwise. */
export const cpuRules: Partial<LoweringRules> = {
  attention: tiledAttention,
  matmul: weightedProduct,
  // Dropout and padding, a bit an element or a frame: `Where` selects twice and merges, on one thread. Finite values come out the same.
  select: (emitter, { inputs: [keep, kept, otherwise], type }, [condition, a, b], precision) =>
    isGiven(keep!) && sameShape(kept!.type.shape, type.shape) && isZero(otherwise!) ? emitter.emit('Mul', [a!, emitter.cast(condition!, precision)]) : emitter.emit('Where', [condition!, a!, b!]),
}
