import { ConfigError } from '../../errors.ts'

/** Labels of one kind, of which every utterance has one: who speaks, or what is asked for. */
export interface LabelSet {
  /** The manifest's field that holds them, too. */
  readonly name: string
  /** In the order of the logits. */
  readonly labels: readonly string[]
}

/**
 * What stands on the encoder. `projector` is HF's Wav2Vec2ForSequenceClassification (projector, mean over valid frames, classifier; one label
 * set); `direct` is the CALD authors' (mean over valid frames, one linear layer a label set); `none` is a pretrained encoder alone.
 */
export type Head =
  | { readonly kind: 'none' }
  | { readonly kind: 'ctc' }
  | { readonly kind: 'projector'; readonly sets: readonly LabelSet[]; readonly projectorSize: number }
  | { readonly kind: 'direct'; readonly sets: readonly LabelSet[] }

export type ClassificationHead = Extract<Head, { sets: unknown }>

/** HF's default of classifier_proj_size. */
export const projectorWidth = 256

/** The keys of a config.json that describe the head. */
export interface HeadConfig {
  readonly architectures?: string[] | null | undefined
  readonly id2label?: Record<string, string> | undefined
  readonly classifier_proj_size?: number | undefined
  readonly use_weighted_layer_sum?: boolean | undefined
  readonly problem_type?: string | null | undefined
  readonly mixer?: unknown
  readonly cald?: { readonly labels?: Record<string, string[]> | undefined } | undefined
}

/** A model's class is its prefix and the suffix of its head. HF's names; the direct head and the student are ours. */
const prefixes = { transformer: 'Wav2Vec2', student: 'CaldWav2Vec2BiMamba2', ours: 'CaldWav2Vec2' } as const
const suffixes: Readonly<Record<string, Head['kind']>> = {
  ForCTC: 'ctc',
  ForSequenceClassification: 'projector',
  ForUtteranceClassification: 'direct',
  ForPreTraining: 'none',
  Model: 'none',
}
const setName = /^[A-Za-z_][\w-]*$/

const architectureOf = (kind: Head['kind'], student: boolean): string => {
  const prefix = student ? prefixes.student : kind === 'direct' ? prefixes.ours : prefixes.transformer
  return prefix + Object.entries(suffixes).findLast(([, own]) => own === kind)![0]
}

/** The kind of head of a config.json; undefined when there is no such kind here. */
const kindOf = ({ architectures }: HeadConfig): Head['kind'] | undefined => {
  const [architecture] = architectures ?? []
  if (architecture === undefined) return 'ctc'
  return Object.values(prefixes).some((prefix) => architecture.startsWith(prefix)) ? suffixes[architecture.replace(/^(Cald)?Wav2Vec2(BiMamba2)?/, '')] : undefined
}

/** What a config.json says of its head that no head here does; undefined where there is nothing. */
export const unknownHead = (config: HeadConfig): string | undefined => {
  const { architectures, use_weighted_layer_sum, problem_type } = config
  const kind = kindOf(config)
  if (kind === undefined) return `architectures: expected one of ${Object.keys(suffixes).map((suffix) => prefixes.transformer + suffix).join(', ')}, found ${architectures![0]!}`
  if (kind !== 'projector') return undefined
  if (use_weighted_layer_sum) return 'use_weighted_layer_sum: expected false (the last hidden state is classified), found true'
  const single = problem_type ?? 'single_label_classification'
  return single === 'single_label_classification' ? undefined : `problem_type: expected single_label_classification, found ${single}`
}

/** The head that a config.json describes; without `architectures` a CTC head. ConfigError when there is no such head here. */
export const headOf = (config: HeadConfig, path = 'config.json'): Head => {
  const unknown = unknownHead(config)
  if (unknown !== undefined) throw new ConfigError(`${path}: ${unknown}`)
  const kind = kindOf(config)!
  if (kind === 'none' || kind === 'ctc') return { kind }
  const sets = kind === 'projector' ? [labelsOfHf(config, path)] : labelsOfRecord(config, path)
  for (const { name, labels } of sets) {
    if (!setName.test(name)) throw new ConfigError(`${path}: cald.labels: expected names of letters, digits, _ and -, found ${JSON.stringify(name)}`)
    if (labels.length === 0 || new Set(labels).size < labels.length) throw new ConfigError(`${path}: expected labels of ${name}, each once, found ${labels.length === 0 ? 'none' : labels.join(', ')}`)
  }
  return kind === 'projector' ? { kind, sets, projectorSize: config.classifier_proj_size ?? projectorWidth } : { kind, sets }
}

/** HF keeps no name of the set; ours is in cald.labels. */
const labelsOfHf = ({ id2label, cald }: HeadConfig, path: string): LabelSet => {
  if (id2label === undefined) throw new ConfigError(`${path}: id2label: expected the labels of the classifier, found nothing`)
  const labels = Array.from({ length: Object.keys(id2label).length }, (_, id) => {
    const label = id2label[id]
    if (label === undefined) throw new ConfigError(`${path}: id2label: expected ids from 0 on, found ${Object.keys(id2label).join(', ')}`)
    return label
  })
  const recorded = Object.entries(cald?.labels ?? {})
  if (recorded.length > 1) throw new ConfigError(`${path}: cald.labels: expected one label set for the head of ForSequenceClassification, found ${recorded.map(([name]) => name).join(', ')}`)
  return { name: recorded[0]?.[0] ?? 'label', labels }
}

const labelsOfRecord = ({ cald }: HeadConfig, path: string): LabelSet[] => {
  const sets = Object.entries(cald?.labels ?? {}).map(([name, labels]) => ({ name, labels }))
  if (sets.length === 0) throw new ConfigError(`${path}: cald.labels: expected the label sets of the head, found none`)
  return sets
}

const without = (of: object, ...keys: string[]): Record<string, unknown> => Object.fromEntries(Object.entries(of).filter(([key]) => !keys.includes(key)))

/** The same model's config.json with another head. ConfigError when the head cannot be. */
export const configWithHead = <Config extends HeadConfig>(config: Config, head: Head): Config => {
  const { cald } = config
  const rest = without(config, 'id2label', 'label2id', 'cald')
  const lineage = without(cald ?? {}, 'labels')
  const student = config.mixer !== undefined
  const shared = { ...rest, architectures: [architectureOf(head.kind, student)], ...(Object.keys(lineage).length > 0 ? { cald: lineage } : {}) }
  if (head.kind === 'none' || head.kind === 'ctc') return shared as unknown as Config
  const [first] = head.sets
  const labelled = { ...shared, cald: { ...lineage, labels: Object.fromEntries(head.sets.map(({ name, labels }) => [name, [...labels]])) } }
  const result =
    head.kind === 'direct'
      ? labelled
      : {
          ...labelled,
          id2label: Object.fromEntries(first!.labels.map((label, id) => [String(id), label])),
          label2id: Object.fromEntries(first!.labels.map((label, id) => [label, id])),
          classifier_proj_size: head.projectorSize,
          use_weighted_layer_sum: false,
          problem_type: 'single_label_classification',
        }
  const complete = result as unknown as Config
  headOf(complete, 'the head')
  return complete
}

/** Label sets of a head; none where it does not classify. */
export const labelSetsOf = (head: Head): readonly LabelSet[] => ('sets' in head ? head.sets : [])

/** Whether two heads give the same logits a meaning: of one kind, with the same labels in the same order. */
export const sameHead = (a: Head, b: Head): boolean => a.kind === b.kind && JSON.stringify(labelSetsOf(a)) === JSON.stringify(labelSetsOf(b))

/** In a few words, for messages: `the ctc head`, `a projector head for speaker`. */
export const describeHead = (head: Head): string => {
  if (head.kind === 'none') return 'no head'
  return head.kind === 'ctc' ? 'a CTC head' : `a ${head.kind} head for ${head.sets.map(({ name, labels }) => `${name} (${labels.length} labels)`).join(' and ')}`
}
