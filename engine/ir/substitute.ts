import { topologicalOrder } from './graph.ts'
import type { Value } from './ops.ts'

/** The outputs with values replaced by others of the same type; `replace` sees each value once, its own inputs replaced before, and returns undefined to let it be. */
export const substitute = (outputs: Readonly<Record<string, Value>>, replace: (value: Value, original: Value) => Value | undefined): Record<string, Value> => {
  const now = new Map<Value, Value>()
  for (const original of topologicalOrder(Object.values(outputs))) {
    const inputs = original.inputs.map((x) => now.get(x)!)
    const value = inputs.every((x, i) => x === original.inputs[i]) ? original : { ...original, inputs }
    now.set(original, replace(value, original) ?? value)
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, now.get(value)!]))
}
