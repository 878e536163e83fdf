import { input, mul, scalar, select, type Shape, type Value } from '../ir/index.ts'

/** A place where dropout is applied, and the mask (bool, true = keep) the graph wants for it. */
export interface DropoutSite {
  readonly site: string
  readonly shape: Shape
  readonly probability: number
}

/** Applies dropout at a named site; in evaluation it returns its argument. */
export interface Dropout {
  apply(site: string, x: Value, probability: number): Value
}

export const noDropout: Dropout = { apply: (_, x) => x }

export const maskName = (site: string): string => `dropout.${site}`

/** Dropout with masks as graph inputs `dropout.<site>`; kept values are scaled by 1/(1 − probability). */
export class MaskedDropout implements Dropout {
  readonly sites: DropoutSite[] = []

  apply(site: string, x: Value, probability: number): Value {
    if (probability === 0) return x
    this.sites.push({ site, shape: x.type.shape, probability })
    const keep = input(maskName(site), x.type.shape, 'bool')
    // In this order the factor becomes one of the matrix product that often follows.
    return mul(select(keep, x, scalar(0)), scalar(1 / (1 - probability)))
  }
}
