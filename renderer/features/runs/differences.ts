import type { Conversion } from '../../../engine/contract/index.ts'

/** The leaves of a tree by their dotted paths, as text. */
const leavesOf = (tree: unknown, path = ''): [string, string][] =>
  typeof tree === 'object' && tree !== null && !Array.isArray(tree) ? Object.entries(tree).flatMap(([name, value]) => leavesOf(value, path === '' ? name : `${path}.${name}`)) : [[path, Array.isArray(tree) ? tree.join(', ') : String(tree)]]

/** The settings in which conversions differ: their paths, and each one's value; undefined where it has none. */
export const differencesOf = (conversions: readonly Conversion[]): { readonly path: string; readonly values: readonly (string | undefined)[] }[] => {
  const trees = conversions.map(({ guidance, mixer, training, device, teacher, train, dev }) => new Map(leavesOf({ teacher, train, dev, guidance, mixer, training, device })))
  const paths = [...new Set(trees.flatMap((tree) => [...tree.keys()]))]
  return paths.map((path) => ({ path, values: trees.map((tree) => tree.get(path)) })).filter(({ values }) => new Set(values).size > 1)
}
