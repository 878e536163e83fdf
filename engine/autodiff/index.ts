/** Reverse-mode differentiation as a transformation of graphs: one table of rules (`rules.ts`), one loop (`gradient.ts`). */
export { gradients, type Seed } from './gradient.ts'
