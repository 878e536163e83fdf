import type { GuidanceSettings, TrainingSettings } from '../contract/index.ts'
import { batchStream, BatchLoader, loadBatch, type LoadOptions, type Utterance } from '../datasets/index.ts'
import { framesOf, type SpeechBatch, type Wav2Vec2Config } from '../models/index.ts'
import { float32 } from '../runtime/index.ts'
import { UsageError } from '../errors.ts'
import { CounterRandom } from '../random.ts'
import type { FeatureStore } from './features.ts'
import type { TrainingBatch } from './objective.ts'
import { drawnMasks, remembered, type HiddenSpans, type RandomKey } from './runner.ts'
import { maskFeatureSpans, maskTimeSpans } from './specAugment.ts'
import type { Task } from './tasks/index.ts'

/** A batch as the stages take it, and whose speech it is. */
export interface MicroBatch {
  readonly utterances: readonly Utterance[]
  readonly batch: TrainingBatch
}

interface MicroBatchRequest {
  readonly train: readonly Utterance[]
  readonly settings: TrainingSettings
  readonly guidance: GuidanceSettings | undefined
  readonly task: Task
  readonly audio: LoadOptions
}

/** Whether the first updates may hear an utterance. */
const heardFirst = ({ maxSeconds = Infinity, minCharacters = 0 }: NonNullable<TrainingSettings['firstUtterances']>, { duration, text = '' }: Utterance): boolean =>
  duration <= maxSeconds && text.length >= minCharacters

/** The utterances of each micro-batch, from those of update `update` on: of the first updates only such as these may hear. UsageError when there are none. */
function* utteranceStream(train: readonly Utterance[], { firstUtterances: first, microBatches: each, batchSeconds: maxSeconds, seed }: TrainingSettings, update: number): Generator<Utterance[]> {
  const before = first?.updates ?? 0
  if (first !== undefined && update < before) {
    const chosen = train.filter((utterance) => heardFirst(first, utterance))
    if (chosen.length === 0) throw new UsageError(`the first ${before} updates: expected training utterances of at most ${first.maxSeconds ?? Infinity} s and at least ${first.minCharacters ?? 0} characters, found none`)
    let left = (before - update) * each
    for (const indices of batchStream(chosen, { maxSeconds, seed }, update * each)) {
      if (left-- === 0) break
      yield indices.map((index) => chosen[index]!)
    }
  }
  for (const indices of batchStream(train, { maxSeconds, seed }, Math.max(0, update - before) * each)) yield indices.map((index) => train[index]!)
}

/** The encoder layers that a micro-batch leaves out: each with probability `layerdrop` of its own (Wav2Vec2's layer drop). */
const droppedLayers = ({ layerdrop = 0, num_hidden_layers }: Wav2Vec2Config, { seed, update, microBatch }: RandomKey): ReadonlySet<number> => {
  const random = new CounterRandom(seed, 'layer drop', update, microBatch)
  return new Set(Array.from({ length: num_hidden_layers }, (_, layer) => layer).filter(() => random.nextFloat() < layerdrop))
}

/** What each update trains on: its micro-batches with their targets, dropout masks and SpecAugment spans, all from (seed, update) alone. */
export class MicroBatches {
  readonly #request: MicroBatchRequest
  /** The student's configuration with the run's regularisation. */
  readonly #config: Wav2Vec2Config
  readonly #features: FeatureStore | undefined
  readonly #targets: ReadonlyMap<Utterance, Int32Array>

  constructor(request: MicroBatchRequest, config: Wav2Vec2Config, features: FeatureStore | undefined) {
    this.#request = request
    this.#config = config
    this.#features = features
    const { train, task } = request
    this.#targets = new Map(train.map((utterance) => [utterance, task.targetOf(utterance)]))
  }

  /** The micro-batches of update after update, from `update` on; loaded ahead where a frontend has to run. */
  async *from(update: number): AsyncGenerator<readonly MicroBatch[]> {
    const { train, settings } = this.#request
    const each = settings.microBatches
    const chosen = utteranceStream(train, settings, update)
    let current: MicroBatch[] = []
    for await (const { utterances, batch } of this.#loaded(chosen)) {
      current.push({ utterances, batch: this.#prepare(utterances, batch, { seed: settings.seed, update, microBatch: current.length }) })
      if (current.length < each) continue
      yield current
      current = []
      update++
    }
  }

  /** Audio, or features of a frozen frontend, of utterances: for evaluation. */
  async load(utterances: readonly Utterance[]): Promise<SpeechBatch> {
    return this.#features === undefined ? this.audio(utterances) : this.#features.batch(utterances)
  }

  async audio(utterances: readonly Utterance[]): Promise<SpeechBatch> {
    const { audio, lengths } = await loadBatch(utterances, this.#request.audio)
    return { data: audio, shape: [utterances.length, audio.length / utterances.length], lengths }
  }

  async *#loaded(batches: Iterable<Utterance[]>): AsyncGenerator<{ utterances: readonly Utterance[]; batch: SpeechBatch }> {
    if (this.#features !== undefined) {
      for (const utterances of batches) yield { utterances, batch: await this.#features.batch(utterances) }
      return
    }
    const loader = new BatchLoader(this.#request.audio)
    try {
      for await (const { utterances, audio: data, lengths } of loader.load(batches)) {
        yield { utterances, batch: { data, shape: [utterances.length, data.length / utterances.length], lengths } }
      }
    } finally {
      await loader.close()
    }
  }

  #prepare(utterances: readonly Utterance[], batch: SpeechBatch, key: RandomKey): TrainingBatch {
    const config = this.#config
    const ready = this.#features !== undefined
    const sizes = ready ? { batch: batch.shape[0]!, frames: batch.shape[1]!, lengths: batch.lengths } : framesOf(config, batch)
    const time = { probability: config.mask_time_prob, spanLength: config.mask_time_length, minMasks: config.mask_time_min_masks }
    const feature = { probability: config.mask_feature_prob, spanLength: config.mask_feature_length, minMasks: config.mask_feature_min_masks }
    const spansOf = (model?: 'teacher'): HiddenSpans => ({
      time: time.probability === 0 ? undefined : maskTimeSpans({ ...key, ...time, model, lengths: sizes.lengths, frames: sizes.frames }),
      feature: feature.probability === 0 ? undefined : maskFeatureSpans({ ...key, ...feature, model, batch: sizes.batch, features: config.hidden_size }),
    })
    return {
      ...sizes,
      audio: ready ? undefined : batch,
      features: ready ? float32(batch.data, batch.shape) : undefined,
      objective: this.#request.task.objective,
      targets: utterances.map((utterance) => this.#targets.get(utterance)!),
      masks: remembered(drawnMasks(key)),
      droppedLayers: droppedLayers(config, key),
      spans: spansOf(),
      teacherSpans: this.#request.guidance?.teacherMode === 'training' ? spansOf('teacher') : undefined,
    }
  }
}
