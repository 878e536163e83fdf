import { gradients, type Seed } from '../autodiff/index.ts'
import { constant, div, evaluateShape, graph, input, matrixWork, meanLast, mul, reshape, square, sub, substitute, sum, variable, type Bindings, type Graph, type Op, type Value } from '../ir/index.ts'
import { encoderLayer, frontend, head, mixerOutput, paddingInputs, projection, validFramesInput, type Wav2Vec2Config } from '../models/index.ts'
import type { Precision } from '../onnx/index.ts'
import { MaskedDropout, noDropout, normalise, Parameters, type DropoutSite } from '../nn/index.ts'

/** The programs of one stage: all encoder layers share one of each. */
export interface StageGraphs {
  readonly forward: Graph
  /** Results of the forward program that are worth keeping for the backward program, those first whose bytes save most work. */
  readonly dear: readonly Value[]
  /** The programs that keep the first `count` of the dear results: the forward one has outputs `kept.<i>` besides, and the backward ones take them instead of computing them again. */
  readonly keeping: (count: number) => Pick<StageGraphs, 'forward' | 'backward' | 'guidedBackward'>
  /** Recomputes the stage; outputs `dx` where the gradient goes on, and `d.<parameter>`. None for a stage that nothing above teaches. */
  readonly backward: Graph | undefined
  /** The same with the alignment to a teacher's hidden state, whose loss is the output `alignment`; for stages that end in one. */
  readonly guidedBackward: Graph | undefined
  readonly dropout: readonly DropoutSite[]
}

export type StageKind = 'frontend' | 'projection' | 'layer' | 'head' | 'mixer'

export interface StageOptions {
  /** Dropout on (a training student) or off (a teacher). */
  readonly training: boolean
  readonly timeMask: boolean
  readonly featureMask: boolean
  readonly frontendTrained: boolean
  /** Float type of the programs; in float16 gradients are taken of `lossScale`, an input, times the alignment loss. Default: float32. */
  readonly precision?: Precision | undefined
}

/** Epsilon of the layer norms that the alignment compares hidden states after. */
const alignmentEpsilon = 1e-5

const batch = variable('batch')
const time = variable('time')

/**
 * Σ over frames of weight · MSE(LN(teacher), LN(student)), LN without weight and bias (He & Garner 2025, eq. for L_layerwise);
 * the weights carry α, the number of layers and of valid frames, and are zero where a frame does not count.
 */
const alignmentLoss = (student: Value): Value => {
  const teacher = input('teacher', student.type.shape)
  const weight = reshape(input('alignmentWeight', [batch, time]), [batch, time, 1])
  const difference = sub(normalise(student, alignmentEpsilon), normalise(teacher, alignmentEpsilon))
  return sum(mul(meanLast(square(difference)), weight), [0, 1, 2])
}

/**
 * Σ weight · (teacher − student)² over Σ weight · teacher², each square a mean over channels: what share of another mixer's output is missed.
 * The weights are zero where a frame does not count.
 */
const missedShare = (student: Value): Value => {
  const teacher = input('teacher', student.type.shape)
  const weight = reshape(input('alignmentWeight', [batch, time]), [batch, time, 1])
  const weighted = (value: Value): Value => sum(mul(meanLast(square(value)), weight), [0, 1, 2])
  return div(weighted(sub(student, teacher)), weighted(teacher))
}

interface Built {
  readonly outputs: Record<string, Value>
  /** The output that receives `dy`, if one does. */
  readonly y: Value | undefined
  /** Where the gradient goes on, if it does. */
  readonly x: Value | undefined
  /** The hidden state that is compared with the teacher's, if there is one. */
  readonly aligned: Value | undefined
  /** How it is compared; as the layerwise loss does by default. */
  readonly loss?: (student: Value) => Value
}

const stageGraphs = (name: string, options: StageOptions, build: (p: Parameters, dropout: MaskedDropout | typeof noDropout) => Built): StageGraphs => {
  const p = new Parameters()
  const dropout = options.training ? new MaskedDropout() : noDropout
  const { outputs, y, x, aligned, loss = alignmentLoss } = build(p, dropout)
  const forward = graph(`${name} forward`, outputs)
  const used = new Set<Value>(forward.inputs)
  const parameters = p.trained.filter((value) => used.has(value))

  const wrt: Value[] = x === undefined ? parameters : [x, ...parameters]
  const named = (seeds: readonly Seed[]): Record<string, Value> => {
    const results = gradients(seeds, wrt)
    return Object.fromEntries(wrt.map((value, i) => [value === x ? 'dx' : `d.${(value as Value<'input'>).params.name}`, results[i]!]))
  }
  const fromAbove: Seed[] = y === undefined ? [] : [{ value: y, gradient: input('dy', y.type.shape) }]
  const guided = (hiddenState: Value): Graph => {
    const alignment = loss(hiddenState)
    return graph(`${name} guided backward`, { ...named([...fromAbove, { value: alignment, gradient: options.precision === 'float16' ? input('lossScale', [1, 1, 1]) : constant([1], [1, 1, 1]) }]), alignment })
  }
  const backward = y === undefined ? undefined : graph(`${name} backward`, named(fromAbove))
  const guidedBackward = aligned === undefined ? undefined : guided(aligned)
  return {
    forward,
    backward,
    guidedBackward,
    ...keeping(forward, backward, guidedBackward),
    dropout: dropout instanceof MaskedDropout ? dropout.sites : [],
  }
}

/**
 * Operations whose results are worth their memory until the backward pass: those that cost much more than writing them down; and how much longer each takes for its
 * floating-point operations than a matrix product (measured: the recurrence 6 ms and a projection 6 ms for results of one size, at a third of the operations).
 */
const worthKeeping: { readonly [O in Op]?: number } = { matmul: 1, conv1d: 1, linearAttention: 3, attention: 1 }

/** Work that a result's bytes save; of attention it depends on the lengths, which are taken to be those of ten seconds. */
const worthOf = (value: Value): number => {
  const lengths = { batch: 1, time: 500, samples: 160_000 }
  const bytes = 4 * evaluateShape(value.type.shape, lengths).reduce((a, b) => a * b, 1)
  return ((worthKeeping[value.op] ?? 0) * matrixWork([value], lengths)) / bytes
}

/** A product with its bias, where it is read for nothing else: it takes no more memory, and spares the sum. */
const withBias = (product: Value, nodes: readonly Value[]): Value => {
  const [sum, ...others] = nodes.filter(({ inputs }) => inputs.includes(product))
  return sum?.op === 'add' && others.length === 0 && sum.inputs.some(({ op, type }) => op === 'input' && type.shape.length === 1) ? sum : product
}

/** The programs of a stage when the forward pass keeps what the backward pass would compute again at great cost; the rest is computed again all the same. */
const keeping = (forward: Graph, backward: Graph | undefined, guidedBackward: Graph | undefined): Pick<StageGraphs, 'dear' | 'keeping'> => {
  const wanted = new Set([...(backward?.nodes ?? []), ...(guidedBackward?.nodes ?? [])])
  const dear = forward.nodes
    .filter((value) => value.op in worthKeeping && wanted.has(value))
    .map((value) => ({ value, worth: worthOf(value) }))
    .sort((a, b) => b.worth - a.worth)
    .map(({ value }) => withBias(value, [...new Set([...forward.nodes, ...wanted])]))
  return {
    dear,
    keeping: (count) => {
      const kept = dear.slice(0, count)
      const replacements = new Map<Value, Value>(kept.map((value, i) => [value, input(keptName(i), value.type.shape)]))
      const taking = (built: Graph | undefined): Graph | undefined => built && graph(`${built.name} of what was kept`, substitute(built.outputs, (_, value) => replacements.get(value)))
      return {
        forward: graph(`${forward.name} that keeps`, { ...forward.outputs, ...Object.fromEntries(kept.map((value, i) => [keptName(i), value])) }),
        backward: taking(backward),
        guidedBackward: taking(guidedBackward),
      }
    },
  }
}

/** How many of a stage's dear results fit into so many bytes at the given lengths, and what they take. */
export const keptWithin = ({ dear }: StageGraphs, bytes: number, lengths: Bindings): { readonly count: number; readonly bytes: number } => {
  let taken = 0
  for (const [count, { type }] of dear.entries()) {
    const own = 4 * evaluateShape(type.shape, lengths).reduce((a, b) => a * b, 1)
    if (taken + own > bytes) return { count, bytes: taken }
    taken += own
  }
  return { count: dear.length, bytes: taken }
}

export const keptName = (index: number): string => `kept.${index}`

/** The stages of a model as training programs over padded batches. */
export const trainingStages = (config: Wav2Vec2Config, options: StageOptions): Readonly<Record<StageKind, StageGraphs>> => {
  const padding = paddingInputs(batch, time)
  const hidden = (): Value => input('x', [batch, time, config.hidden_size])
  return {
    frontend: stageGraphs('frontend', options, (p) => {
      const samples = variable('samples')
      const y = frontend(p, input('audio', [batch, samples]), config, config.feat_extract_norm === 'group' ? validFramesInput(config, batch, samples) : undefined)
      return { outputs: { y }, y, x: undefined, aligned: undefined }
    }),
    projection: stageGraphs('projection', options, (p, dropout) => {
      const x = input('x', [batch, time, config.conv_dim.at(-1)!])
      const masks = {
        time: options.timeMask ? input('timeMask', [batch, time, 1], 'bool') : undefined,
        feature: options.featureMask ? input('featureMask', [batch, 1, config.hidden_size], 'bool') : undefined,
      }
      const y = projection(p, x, config, { dropout, padding }, masks)
      return { outputs: { y }, y, x: options.frontendTrained ? x : undefined, aligned: undefined }
    }),
    layer: stageGraphs('layer', options, (p, dropout) => {
      const x = hidden()
      const y = encoderLayer(p, x, config, { dropout, padding })
      return { outputs: { y }, y, x, aligned: y }
    }),
    // A layer's mixer alone, which nothing but its own loss teaches.
    mixer: stageGraphs('mixer', { ...options, training: false }, (p, dropout) => {
      const y = mixerOutput(p, hidden(), config, { dropout, padding })
      return { outputs: { y }, y: undefined, x: undefined, aligned: y, loss: missedShare }
    }),
    head: stageGraphs('head', options, (p, dropout) => {
      const x = hidden()
      const { hidden: last, logits } = head(p, x, config, { dropout, padding })
      return { outputs: { logits, hidden: last }, y: logits, x, aligned: last }
    }),
  }
}
