import { topologicalOrder } from './graph.ts'
import type { Value } from './ops.ts'

/** The outputs as they are when some values are others of the same type: whatever depended on the first depends on the second. */
export const substitute = (outputs: Readonly<Record<string, Value>>, replacements: ReadonlyMap<Value, Value>): Record<string, Value> => {
  const now = new Map(replacements)
  for (const value of topologicalOrder(Object.values(outputs))) {
    if (now.has(value)) continue
    const inputs = value.inputs.map((x) => now.get(x)!)
    now.set(value, inputs.every((x, i) => x === value.inputs[i]) ? value : { ...value, inputs })
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, now.get(value)!]))
}
