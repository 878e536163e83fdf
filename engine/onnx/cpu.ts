import { sameShape, type Value } from '../ir/index.ts'
import { tiledAttention } from './attention.ts'
import type { LoweringRules } from './lower.ts'
import { weightedProduct } from './product.ts'

const isZero = ({ op, params }: Value): boolean => op === 'constant' && (params as Value<'constant'>['params']).values.every((value) => value === 0)

/** What the CPU lowers otherwise. */
export const cpuRules: Partial<LoweringRules> = {
  attention: tiledAttention,
  matmul: weightedProduct,
  // Dropout, a bit an element: `Where` selects twice and merges, on one thread. Finite values come out the same; of padding, whose frames may hold anything, only `Where` makes zeros.
  select: (emitter, { inputs: [keep, , otherwise], type }, [condition, a, b], precision) =>
    keep!.op === 'input' && sameShape(keep!.type.shape, type.shape) && isZero(otherwise!) ? emitter.emit('Mul', [a!, emitter.cast(condition!, precision)]) : emitter.emit('Where', [condition!, a!, b!]),
}
