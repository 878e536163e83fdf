import { freemem } from 'node:os'
import type { TrainingSettings } from '../contract/index.ts'
import { batchStream, type Utterance } from '../datasets/index.ts'
import { footprintOf, mostKeptBytes, trainingWork, type LargestBatch, type TrainingRequest } from '../distill/index.ts'
import { frameCount } from '../models/index.ts'

/** A run before it is begun, as far as its batches are concerned. */
type Planned = Omit<TrainingRequest, 'device' | 'settings' | 'chosen' | 'out' | 'resume'>

/** Frames of the longest. */
export const framesOf = ({ student, audio }: Planned, utterances: readonly Utterance[]): number =>
  Math.max(...utterances.map(({ duration }) => frameCount(student.config, Math.round(duration * audio.samplingRate))))

export interface Batches {
  readonly largest: LargestBatch
  readonly typical: LargestBatch & { readonly utterances: readonly Utterance[] }
  /** Matrix work of a batch on average, as a share of the typical one's. */
  readonly meanWork: number
}

const looked = 1000

/** The run's batches, the first thousand at most. */
export const batchesOf = (request: Planned, { batchSeconds: maxSeconds, seed, updates, microBatches }: TrainingSettings): Batches => {
  const batches: (LargestBatch & { readonly utterances: readonly Utterance[] })[] = []
  for (const indices of batchStream(request.train, { maxSeconds, seed })) {
    const utterances = indices.map((index) => request.train[index]!)
    batches.push({ utterances, batch: utterances.length, frames: framesOf(request, utterances) })
    if (batches.length >= Math.min(looked, updates * microBatches)) break
  }
  const work = trainingWork(request)
  const works = batches.map(work)
  const mean = works.reduce((a, b) => a + b, 0) / works.length
  const [typical] = batches.map((batch, i) => ({ batch, distance: Math.abs(works[i]! - mean) })).sort((a, b) => a.distance - b.distance)
  const [largest] = [...batches].sort((a, b) => b.batch * b.frames - a.batch * a.frames)
  return { largest: largest!, typical: typical!.batch, meanWork: mean / work(typical!.batch) }
}

/** Of the memory that is free, what a run may plan with. */
const planned = 0.8
const step = 2 ** 26

/** Memory that layers of a run may keep results in until their backward pass: what is free and not wanted otherwise, up to the most that it may be. */
export const roomToKeep = (request: Planned, settings: TrainingSettings, largest: LargestBatch, free = freemem()): number => {
  const { optimiser, features, activations, working } = footprintOf({ ...request, settings, keptBytes: 0 }, largest)
  const room = planned * free - (optimiser + features + activations + working)
  return Math.min(mostKeptBytes, Math.max(0, Math.floor(room / step) * step))
}
