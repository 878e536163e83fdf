import { CounterRandom, fillNormal, fillUniform } from '../random.ts'
import { viewOf, type ParameterLayout, type ParameterPlace } from './layout.ts'

/** Draws initial values for some of a layout's parameters; each depends on (seed, name) alone. */
export const initialise = (parameters: Float32Array, layout: ParameterLayout, places: readonly ParameterPlace[], seed: number): void => {
  // Norms are taken of directions, which must have their values by then.
  const [directions, norms] = [places.filter(({ initial }) => initial.kind !== 'normOf'), places.filter(({ initial }) => initial.kind === 'normOf')]
  for (const place of [...directions, ...norms]) fill(viewOf(parameters, place), place, layout, parameters, seed)
}

const fill = (out: Float32Array, place: ParameterPlace, layout: ParameterLayout, parameters: Float32Array, seed: number): void => {
  const { initial, name } = place
  const key = ['initial', name]
  switch (initial.kind) {
    case 'constant':
      out.fill(initial.value)
      break
    case 'normal':
      fillNormal(out, initial.deviation, seed, ...key)
      break
    case 'uniform':
      fillUniform(out, initial.low, initial.high, seed, ...key)
      break
    case 'logOfUniform': {
      const random = new CounterRandom(seed, ...key)
      out.forEach((_, i) => (out[i] = Math.log(initial.low + (initial.high - initial.low) * random.nextFloat())))
      break
    }
    case 'inverseSoftplusOfExpUniform': {
      const random = new CounterRandom(seed, ...key)
      const [low, high] = [Math.log(initial.low), Math.log(initial.high)]
      out.forEach((_, i) => {
        const step = Math.max(Math.exp(low + (high - low) * random.nextFloat()), initial.floor)
        out[i] = step + Math.log(-Math.expm1(-step))
      })
      break
    }
    case 'normOf': {
      const direction = layout.stage(place.stage).find(({ local }) => local.endsWith(initial.direction))!
      const values = viewOf(parameters, direction)
      const squares = new Float64Array(out.length)
      values.forEach((value, i) => (squares[i % out.length]! += value * value))
      out.set(squares.map(Math.sqrt))
    }
  }
}
