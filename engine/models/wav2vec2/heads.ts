import * as ir from '../../ir/index.ts'
import type { Value } from '../../ir/index.ts'
import { layerNorm, linear, type Dropout, type Initial, type Padding, type Parameters } from '../../nn/index.ts'
import type { Wav2Vec2Config } from './config.ts'
import { headOf, type Head } from './head.ts'

interface HeadContext {
  readonly dropout: Dropout
  readonly padding: Padding | undefined
  readonly initial: Initial
}

/** hidden: [batch, time, hidden_size] → logits. */
type BuildHead<K extends Head['kind']> = (p: Parameters, hidden: Value, head: Extract<Head, { kind: K }>, config: Wav2Vec2Config, context: HeadContext) => Value

/** Each kind of head as a layer. A new one is an entry here and in head.ts, which says how config.json describes it. */
const heads: { readonly [K in Head['kind']]: BuildHead<K> } = {
  /** An encoder alone gives its last hidden state. */
  none: (_, hidden) => hidden,
  /** Logits [batch, time, vocab_size]. */
  ctc: (p, hidden, _, config, { dropout, initial: weight }) => linear(p.at('lm_head'), dropout.apply('final', hidden, config.final_dropout), config.vocab_size, { weight }),
  /** Logits [batch, labels], without dropout, as HF's Wav2Vec2ForSequenceClassification. */
  projector: (p, hidden, { sets, projectorSize }, _, { padding, initial: weight }) =>
    linear(p.at('classifier'), meanOverTime(linear(p.at('projector'), hidden, projectorSize, { weight }), padding), sets[0]!.labels.length, { weight }),
  /** Logits [batch, labels of all sets], set after set; without dropout. */
  direct: (p, hidden, { sets }, _, { padding, initial: weight }) => {
    const pooled = meanOverTime(hidden, padding)
    return ir.concat(sets.map(({ name, labels }) => linear(p.at(`classifiers.${name}`), pooled, labels.length, { weight })), 1)
  },
}

/** Mean over each utterance's valid frames: [batch, time, width] → [batch, width]. */
const meanOverTime = (x: Value, padding: Padding | undefined): Value => {
  const [batch, time, width] = x.type.shape as [ir.Dim, ir.Dim, number]
  const one = ir.constant([1], [1, 1, 1])
  const weights = padding === undefined ? ir.expand(one, [batch, time, 1]) : ir.select(ir.reshape(padding.valid, [batch, time, 1]), one, ir.scalar(0))
  return ir.reshape(ir.div(ir.sum(ir.mul(x, weights), [1]), ir.sum(weights, [1])), [batch, width])
}

/** The final layer norm, where the model has one, and the head: x: [batch, time, hidden_size] → last hidden state and logits. Scope: the model. */
export const head = (
  p: Parameters,
  x: Value,
  config: Wav2Vec2Config,
  { dropout, padding }: Pick<HeadContext, 'dropout' | 'padding'>,
): { hidden: Value; logits: Value } => {
  const hidden = config.do_stable_layer_norm ? layerNorm(p.at('wav2vec2.encoder.layer_norm'), x, config.layer_norm_eps) : x
  const described = headOf(config)
  const build = heads[described.kind] as BuildHead<Head['kind']>
  return { hidden, logits: build(p, hidden, described, config, { dropout, padding, initial: { kind: 'normal', deviation: config.initializer_range } }) }
}
