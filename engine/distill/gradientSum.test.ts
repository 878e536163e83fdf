import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ParameterLayout, ParameterPlace } from '../models/index.ts'
import { GradientSum } from './gradientSum.ts'

const sizes = [3, 1, 4]
const places = sizes.map((size, i) => ({ offset: sizes.slice(0, i).reduce((a, b) => a + b, 0), size }) as ParameterPlace)
const layout = { places, size: 8 } as unknown as ParameterLayout

describe('GradientSum', () => {
  it('is the sum of what was added since it was cleared, whether gradients stand in its memory or elsewhere', () => {
    const action = fc.oneof(fc.record({ place: fc.nat(2), value: fc.integer({ min: -9, max: 9 }), inPlace: fc.boolean() }), fc.constant('clear' as const), fc.constant('read' as const))
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        const sum = new GradientSum(layout)
        const expected = new Float32Array(8)
        for (const each of actions) {
          if (each === 'clear') {
            sum.clear()
            expected.fill(0)
          } else if (each === 'read') expect(sum.values).toEqual(expected)
          else {
            const place = places[each.place]!
            const own = each.inPlace ? sum.memory(place) : undefined
            sum.add(place, (own ?? new Float32Array(place.size)).fill(each.value))
            for (let i = place.offset; i < place.offset + place.size; i++) expected[i]! += each.value
          }
        }
        expect(sum.values).toEqual(expected)
      }),
    )
  })
})
