import { GraphError } from '../errors.ts'

/**
 * One axis length: a number, or a polynomial with integer coefficients over named lengths and floor divisions,
 * e.g. `batch`, `2·time+1`, `floor((samples-10)/5)+1`. Polynomials are kept in a canonical form, so equal lengths have equal keys.
 */
export type Dim = number | SymbolicDim
export type Shape = readonly Dim[]

type Atom = { readonly kind: 'variable'; readonly key: string } | { readonly kind: 'floorDiv'; readonly key: string; readonly numerator: SymbolicDim; readonly divisor: number }

interface Term {
  readonly coefficient: number
  /** Sorted by key; the empty product is the constant term. */
  readonly atoms: readonly Atom[]
}

export interface SymbolicDim {
  readonly key: string
  readonly terms: readonly Term[]
}

const monomial = (atoms: readonly Atom[]): string => atoms.map((atom) => atom.key).join('*')

const formatTerm = ({ coefficient, atoms }: Term): string => {
  if (atoms.length === 0) return String(coefficient)
  return coefficient === 1 ? monomial(atoms) : `${coefficient}*${monomial(atoms)}`
}

const canonical = (terms: readonly Term[]): Dim => {
  const byMonomial = new Map<string, Term>()
  for (const term of terms) {
    const key = monomial(term.atoms)
    byMonomial.set(key, { coefficient: term.coefficient + (byMonomial.get(key)?.coefficient ?? 0), atoms: term.atoms })
  }
  const kept = [...byMonomial].filter(([, term]) => term.coefficient !== 0).sort(([a], [b]) => (a < b ? 1 : -1)).map(([, term]) => term)
  if (kept.length === 0) return 0
  if (kept.length === 1 && kept[0]!.atoms.length === 0) return kept[0]!.coefficient
  return { key: kept.map(formatTerm).join('+').replaceAll('+-', '-'), terms: kept }
}

const termsOf = (dim: Dim): readonly Term[] => (typeof dim === 'number' ? [{ coefficient: dim, atoms: [] }] : dim.terms)

/** A named length, bound when a graph runs. */
export const variable = (name: string): SymbolicDim => canonical([{ coefficient: 1, atoms: [{ kind: 'variable', key: name }] }]) as SymbolicDim

export const addDims = (...dims: Dim[]): Dim => canonical(dims.flatMap(termsOf))

export const mulDims = (...dims: Dim[]): Dim =>
  dims.reduce<Dim>(
    (product, dim) =>
      canonical(
        termsOf(product).flatMap((a) =>
          termsOf(dim).map((b) => ({
            coefficient: a.coefficient * b.coefficient,
            atoms: [...a.atoms, ...b.atoms].sort((x, y) => (x.key < y.key ? -1 : 1)),
          })),
        ),
      ),
    1,
  )

export const subDims = (a: Dim, b: Dim): Dim => addDims(a, mulDims(-1, b))

/** floor(dim / divisor) for a positive divisor; exact division stays a polynomial. */
export const floorDivDim = (dim: Dim, divisor: number): Dim => {
  if (typeof dim === 'number') return Math.floor(dim / divisor)
  if (divisor === 1) return dim
  if (dim.terms.every((term) => term.coefficient % divisor === 0)) {
    return canonical(dim.terms.map((term) => ({ ...term, coefficient: term.coefficient / divisor })))
  }
  return canonical([{ coefficient: 1, atoms: [{ kind: 'floorDiv', key: `floor((${dim.key})/${divisor})`, numerator: dim, divisor }] }])
}

export const sizeOf = (shape: Shape): Dim => mulDims(...shape)

export const sameDim = (a: Dim, b: Dim): boolean => (typeof a === 'number' || typeof b === 'number' ? a === b : a.key === b.key)
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!))

export const formatDim = (dim: Dim): string => (typeof dim === 'number' ? String(dim) : dim.key)
export const formatShape = (shape: Shape): string => `[${shape.map(formatDim).join(', ')}]`

/** The name of a dim that is nothing but a variable, else undefined. */
export const variableName = (dim: Dim): string | undefined => {
  if (typeof dim === 'number' || dim.terms.length !== 1) return undefined
  const [term] = dim.terms
  const [atom] = term!.atoms
  return term!.coefficient === 1 && term!.atoms.length === 1 && atom!.kind === 'variable' ? atom!.key : undefined
}

export type Bindings = Readonly<Record<string, number>>

/** How a dim is computed from its variables; the same walk serves numbers here and shape arithmetic in a lowered graph. */
export interface DimArithmetic<T> {
  constant(value: number): T
  variable(name: string): T
  add(a: T, b: T): T
  mul(a: T, b: T): T
  floorDiv(a: T, divisor: number): T
}

export const foldDim = <T>(dim: Dim, arithmetic: DimArithmetic<T>): T => {
  if (typeof dim === 'number') return arithmetic.constant(dim)
  const atomValue = (atom: Atom): T =>
    atom.kind === 'variable' ? arithmetic.variable(atom.key) : arithmetic.floorDiv(foldDim(atom.numerator, arithmetic), atom.divisor)
  const termValue = ({ coefficient, atoms }: Term): T => {
    const factors = atoms.map(atomValue)
    if (factors.length === 0) return arithmetic.constant(coefficient)
    const product = factors.reduce((a, b) => arithmetic.mul(a, b))
    return coefficient === 1 ? product : arithmetic.mul(product, arithmetic.constant(coefficient))
  }
  return dim.terms.map(termValue).reduce((a, b) => arithmetic.add(a, b))
}

/** The length under given bindings; GraphError names a variable without one. */
export const evaluateDim = (dim: Dim, bindings: Bindings): number =>
  foldDim<number>(dim, {
    constant: (value) => value,
    variable: (name) => {
      const value = bindings[name]
      if (value === undefined) throw new GraphError(`length '${name}' has no value: expected one of the graph's inputs to carry it as an axis`)
      return value
    },
    add: (a, b) => a + b,
    mul: (a, b) => a * b,
    floorDiv: (a, divisor) => Math.floor(a / divisor),
  })

export const evaluateShape = (shape: Shape, bindings: Bindings): number[] => shape.map((dim) => evaluateDim(dim, bindings))
