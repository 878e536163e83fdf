import { add, constant, div, graph, input, mul, scalar, sqrt, square, sub, sum, variable, type Graph, type Value } from '../../ir/index.ts'
import { packedWidth } from './packing.ts'

const packedInput = (name: string): Value => input(name, [variable('rows'), packedWidth])
const number = (name: string): Value => input(name, [1])

/** y = a·y + b·x, in place of `y`. */
export const weightedSum = (): Graph => graph('weighted sum', { sum: add(mul(number('a'), packedInput('y')), mul(number('b'), packedInput('x'))) })

/** The sum of squares of `x`, added to `total`: [1, 1]. */
export const sumOfSquares = (): Graph => graph('sum of squares', { squares: add(input('total', [1, 1]), sum(sum(square(packedInput('x')), [1]), [0])) })

/** The sum of squares of each row of `x`: [rows, 1]. */
export const rowsOfSquares = (width: number): Graph => graph('rows of squares', { squares: sum(square(input('x', [variable('rows'), width])), [1]) })

/** `value` where `chosen` is 1, what `y` was where `others` is, in place of `y`. */
export const overwritten = (): Graph => graph('overwritten', { result: add(mul(packedInput('y'), packedInput('others')), mul(packedInput('chosen'), number('value'))) })

export interface AdamWConstants {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
}

/**
 * A step of AdamW (optimiser/adamw.ts) over a stretch of the parameters with one weight decay, in place of them and of the moments. The numbers that change
 * are inputs: gain1 ((1 − β1)·gradient scale), gain2 ((1 − β2)·its square), keep (1 − rate · decay), stepSize (rate·√(1 − β2^n) / (1 − β1^n)) and floor (ε·√(1 − β2^n)).
 */
export const adamWOfStretch = ({ beta1, beta2 }: AdamWConstants): Graph => {
  const [p, m, v, g] = ['p', 'm', 'v', 'g'].map((name) => input(name, [variable('length')])) as [Value, Value, Value, Value]
  const firstMoment = add(mul(m, scalar(beta1)), mul(g, number('gain1')))
  const secondMoment = add(mul(v, scalar(beta2)), mul(square(g), number('gain2')))
  const step = div(mul(firstMoment, number('stepSize')), add(sqrt(secondMoment), number('floor')))
  return graph('AdamW of a stretch', { parameters: sub(mul(p, number('keep')), step), firstMoment, secondMoment })
}

/**
 * A step of AdamW (optimiser/adamw.ts) over packed parameters, gradient and moments, in place of the first and the last two. The numbers that
 * change with the update are inputs: gradientScale, rate, stepSize (rate / (1 − β1^n)) and correction (1 / √(1 − β2^n)); `decay` is the weight
 * decay of each element. Where only some elements take part, `scale` multiplies their rate, `covered` is 1 for them and `others` for the rest.
 */
export const adamWStep = ({ beta1, beta2, epsilon }: AdamWConstants, partly: boolean): Graph => {
  const [p, m, v] = [packedInput('p'), packedInput('m'), packedInput('v')]
  const scale = packedInput('scale')
  const scaled = (value: Value): Value => (partly ? mul(scale, value) : value)
  const [covered, others] = [packedInput('covered'), packedInput('others')]
  const chosen = (now: Value, before: Value): Value => (partly ? add(mul(covered, now), mul(others, before)) : now)
  const g = mul(number('gradientScale'), packedInput('g'))
  const first = add(mul(scalar(beta1), m), mul(scalar(1 - beta1), g))
  const second = add(mul(scalar(beta2), v), mul(scalar(1 - beta2), square(g)))
  const step = div(mul(number('stepSize'), first), add(mul(number('correction'), sqrt(second)), scalar(epsilon)))
  const kept = sub(constant([1]), scaled(mul(number('rate'), packedInput('decay'))))
  return graph(partly ? 'AdamW of some' : 'AdamW', { parameters: sub(mul(kept, p), scaled(step)), firstMoment: chosen(first, m), secondMoment: chosen(second, v) })
}
