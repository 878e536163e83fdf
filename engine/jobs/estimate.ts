import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { trainingSchema, type Estimate, type JobEvent } from '../contract/index.ts'
import { sortedBatches, type Utterance } from '../datasets/index.ts'
import { footprintOf, train, type TrainingRequest } from '../distill/index.ts'
import { median } from '../evaluate/index.ts'
import { carriedOver, type SpeechModel } from '../models/index.ts'
import { choosePrecision, type Device } from '../runtime/index.ts'
import { batchesOf, framesOf, roomToKeep } from './batches.ts'
import { onDevice, type JobContext } from './context.ts'
import { planConversion, type ConvertSettings, type PlannedConversion } from './training.ts'

/** Layers of the models that are rehearsed, at most: what a layer takes is the difference between two depths. */
const depths = [1, 4] as const
/** Updates of a rehearsal; the first one, which compiles, is not counted. */
const rehearsed = 5

/** What a rehearsal took, in seconds. */
interface Rehearsal {
  /** Features of a second of audio. */
  readonly features: number
  readonly update: number
  /** Evaluation of a second of audio. */
  readonly evaluation: number
  /** Checkpoint and model, a byte of weights. */
  readonly checkpoint: number
  /** Bytes that the process held beyond what a rehearsal is made of. */
  readonly runtime: number
}

/**
 * Time and memory of a conversion before it is begun. Memory from the shapes of its programs (`distill/footprint.ts`) and what this process holds now; time from short rehearsals of the run itself, with the same
 * settings on a batch like the mean one of the first thousand, by models cut down to one layer and four: layers cost alike, and batches as their matrix work.
 */
export const estimate = async (settings: ConvertSettings, context: JobContext): Promise<Estimate> => {
  const process_ = process.memoryUsage.rss()
  const folder = await mkdtemp(join(tmpdir(), 'cald-estimate-'))
  try {
    const { training, request } = await planConversion({ ...settings, out: join(folder, 'run'), resume: false }, context)
    return await onDevice(settings, async (device, state) => {
      const precision = choosePrecision(settings.precision ?? 'auto', state)
      const shapes = batchesOf(request, training)
      const keptBytes = roomToKeep(request, training, shapes.largest)
      const typical = shapes.typical
      const layers = request.student.config.num_hidden_layers
      const tried = layers <= depths[1] ? [layers] : depths
      const rehearsals: Rehearsal[] = []
      for (const [i, depth] of tried.entries()) {
        context.onEvent({ kind: 'progress', stage: 'rehearsal', done: i, total: tried.length })
        rehearsals.push(await rehearse(device, { training, request: { ...request, precision, keptBytes } }, depth, typical.utterances, join(folder, `depth-${depth}`), context, process_))
      }
      const at = (of: (rehearsal: Rehearsal) => number): number => {
        const [first, second] = rehearsals.map(of) as [number, number | undefined]
        return second === undefined ? first : first + ((second - first) * (layers - tried[0])) / (tried[1] - tried[0])
      }
      const secondsPerUpdate = at(({ update }) => update) * shapes.meanWork
      const footprint = footprintOf({ ...request, settings: training, keptBytes }, shapes.largest)
      const checkpointBytes = 4 * request.student.layout.size
      const heard = (utterances: readonly Utterance[]): number => utterances.reduce((total, { duration }) => total + duration, 0)
      const evaluations = Math.ceil(training.updates / training.evaluateEvery)
      const seconds = {
        features: training.freezeFrontend ? at(({ features }) => features) * heard([...request.train, ...request.dev]) : 0,
        updates: secondsPerUpdate * training.updates,
        evaluations: evaluations * at(({ evaluation }) => evaluation) * heard(request.dev),
        checkpoints: evaluations * rehearsals.at(-1)!.checkpoint * checkpointBytes,
      }
      const onGpu = device.name === 'webgpu'
      const { weights, optimiser, features, activations, kept, working } = footprint
      const { runtime } = rehearsals[0]!
      return {
        device: device.name,
        threads: settings.threads,
        updates: training.updates,
        secondsPerUpdate,
        seconds: { total: Object.values(seconds).reduce((a, b) => a + b, 0), ...seconds },
        hostBytes: process_ + runtime + weights + optimiser + features + (onGpu ? 0 : activations + kept + working),
        parts: { ...footprint, process: process_, runtime },
        deviceBytes: onGpu ? weights + optimiser + activations + kept + working : 0,
        checkpointBytes: 3 * checkpointBytes * training.keepCheckpoints,
      }
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A model with fewer layers, otherwise as it is. */
const cutTo = (model: SpeechModel, layers: number): SpeechModel => (layers >= model.config.num_hidden_layers ? model : carriedOver(model, { ...model.config, num_hidden_layers: layers }, 1))

const rehearse = async (device: Device, { training, request }: PlannedConversion, depth: number, utterances: readonly Utterance[], out: string, { signal }: JobContext, process_: number): Promise<Rehearsal> => {
  const cut = <M extends SpeechModel | undefined>(model: M): M => (model === undefined ? model : cutTo(model, depth)) as M
  const dev = sortedBatches(request.dev, training.batchSeconds)[0]!.map((index) => request.dev[index]!)
  const without = { mixerPhase: undefined, mixerSwitch: undefined, firstUtterances: undefined, patience: undefined, waypointEvery: undefined }
  const settings = trainingSchema.parse({ ...training, ...without, updates: rehearsed, evaluateEvery: rehearsed, skipNonFinite: rehearsed })
  const student = cutTo({ ...request.student, parameters: request.student.parameters.slice() }, depth)
  const rehearsal: TrainingRequest = {
    ...request,
    student,
    teacher: cut(request.teacher),
    source: cut(request.source),
    waypoints: request.waypoints.map((waypoint) => ({ ...waypoint, open: async () => cut(await waypoint.open()) })),
    train: utterances,
    dev,
    settings,
    out,
    resume: false,
    device,
  }
  const heard = (of: readonly Utterance[]): number => of.reduce((total, { duration }) => total + duration, 0)
  const times: { readonly event: JobEvent; readonly at: number }[] = []
  const started = performance.now()
  await train(rehearsal, { signal, onEvent: (event) => times.push({ event, at: performance.now() }) })
  const ended = performance.now()
  // The models that were opened stand beside those that were cut out of them.
  const opened = new Set([request.student, request.teacher, request.source].flatMap((model) => (model === undefined ? [] : [model.parameters])))
  const { weights, optimiser, features, activations, kept } = footprintOf(rehearsal, { batch: utterances.length, frames: framesOf(request, utterances) })
  const known = process_ + [...opened].reduce((total, { byteLength }) => total + byteLength, 0) + weights + optimiser + features + activations + kept
  const held = Math.max(...times.map(({ event }) => (event.kind === 'update' ? event.memoryBytes : 0)))
  const timesOf = (kind: JobEvent['kind']): number[] => times.flatMap(({ event, at }) => (event.kind === kind ? [at] : []))
  const updates = times.flatMap(({ event }) => (event.kind === 'update' ? [event.audioSeconds / event.audioSecondsPerSecond] : []))
  const evaluated = timesOf('evaluation').at(-1)!
  return {
    // The first recording pays for compiling.
    features: median(differences(timesOf('progress'), started)) / 1000 / (heard([...utterances, ...dev]) / (utterances.length + dev.length)),
    update: median(updates.slice(1)),
    evaluation: Math.max(0, evaluated - timesOf('update').at(-1)!) / 1000 / heard(dev),
    checkpoint: (ended - evaluated) / 1000 / (4 * student.layout.size),
    runtime: Math.max(0, held - known),
  }
}

const differences = (times: readonly number[], started: number): number[] => (times.length === 0 ? [0] : times.map((time, i) => time - (times[i - 1] ?? started)))
