/**
 * Layers as functions that extend a graph: they take their parameters from a scope (`parameters.ts`), which remembers names, shapes
 * and initial values, and their dropout from a `Dropout`. Nothing here knows about speech.
 */
export { selfAttention, type Padding } from './attention.ts'
export { chunkedLinearAttention, type ChunkedShape } from './chunkedAttention.ts'
export { MaskedDropout, maskName, noDropout, type Dropout, type DropoutSite } from './dropout.ts'
export { conv1d, instanceNorm, layerNorm, linear, normalise, positionalConv } from './layers.ts'
export { biMamba2, mamba2, type BiMamba2Config, type Mamba2Config } from './mamba2.ts'
export { Parameters, torchUniform, zeros, type Initial, type ParameterSpec } from './parameters.ts'
