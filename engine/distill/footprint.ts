import type { Footprint } from '../contract/index.ts'
import { evaluateShape, matrixWork, peakLiveBytes, type Bindings, type Graph } from '../ir/index.ts'
import { frameCount, samplesPerFrame, type Wav2Vec2Config } from '../models/index.ts'
import { withRegularisation } from './regularisation.ts'
import { mostKeptBytes } from './passes.ts'
import { keptWithin, trainingStages, type StageKind } from './stages.ts'
import type { TrainingRequest } from './trainer.ts'

export interface LargestBatch {
  readonly batch: number
  readonly frames: number
}

const float = 4

/** The memory of a run's parts, from its settings and shapes alone; `largest`: its largest micro-batch. */
export const footprintOf = ({ student, teacher, source, guidance, settings, train, dev, audio, keptBytes = mostKeptBytes }: Omit<TrainingRequest, 'device' | 'out' | 'resume'>, largest: LargestBatch): Footprint => {
  const config = withRegularisation(student.config, settings)
  const models = new Set([student, teacher, source].flatMap((model) => (model === undefined ? [] : [model.parameters])))
  const size = student.layout.size
  const learns = guidance?.guidance === 'trajectory'
  const teacherSize = (guidance?.guidance === 'waypoint' || learns ? (teacher ?? source)?.layout.size : 0) ?? 0
  const averaged = settings.averageDecay === undefined ? 0 : size
  const weights = float * ([...models].reduce((total, { length }) => total + length, 0) + averaged + teacherSize)
  const optimiser = float * 3 * (size + (learns ? teacherSize : 0))

  const channels = config.conv_dim.at(-1)!
  const framesOfAll = [...train, ...dev].reduce((total, { duration }) => total + frameCount(config, Math.round(duration * audio.samplingRate)), 0)
  const features = settings.freezeFrontend ? Math.min(settings.featureCacheBytes, float * channels * framesOfAll) : 0

  const guided = guidance !== undefined && guidance.guidance !== 'unguided'
  const { batch, frames } = largest
  const bindings: Bindings = { batch, time: frames, samples: frames * samplesPerFrame(config) }
  const options = { timeMask: config.mask_time_prob > 0, featureMask: config.mask_feature_prob > 0, frontendTrained: !settings.freezeFrontend }
  const own = trainingStages(config, { ...options, training: true })
  const masks = Object.entries(own).reduce((total, [kind, { dropout }]) => {
    const bytes = dropout.reduce((sum, { shape }) => sum + evaluateShape(shape, bindings).reduce((a, b) => a * b, 1), 0)
    return total + bytes * (kind === 'layer' ? config.num_hidden_layers : kind === 'mixer' ? 0 : 1)
  }, 0)
  const hidden = float * batch * frames * (config.hidden_size * (config.num_hidden_layers + 2) + channels + 2 * config.vocab_size)
  const activations = masks + hidden * (guided ? 2 : 1)

  const layers = config.num_hidden_layers
  const ofLayers = keptWithin(own.layer, keptBytes / layers, bindings)
  const kept = ofLayers.count === 0 ? 0 : layers * ofLayers.bytes + keptWithin(own.projection, Infinity, bindings).bytes

  const graphsOf = (of: Wav2Vec2Config, training: boolean): Graph[] =>
    (Object.entries(trainingStages(of, { ...options, training })) as [StageKind, (typeof own)[StageKind]][])
      .filter(([kind]) => kind !== 'mixer' && (kind !== 'frontend' || !settings.freezeFrontend))
      .flatMap(([, stage]) => [stage.forward, ...(training ? [stage.backward, stage.guidedBackward] : [])])
      .filter((graph) => graph !== undefined)
  const graphs = [...graphsOf(config, true), ...(guided && teacher !== undefined ? graphsOf(teacher.config, learns) : [])]
  const longest = Math.max(...[...train, ...dev].map(({ duration }) => duration))
  const frontend = settings.freezeFrontend ? peakLiveBytes(own.frontend.forward, { batch: 1, time: 1, samples: Math.round(longest * audio.samplingRate) }) : 0
  const working = Math.max(frontend, ...graphs.map((graph) => peakLiveBytes(graph, bindings)))
  return { weights, optimiser, features, activations, kept, working }
}

/** Floating-point operations of the matrix work of an update on one micro-batch, teacher included; what a backward program computes again counts, as it takes its time. */
export const trainingWork = ({ student, teacher, guidance }: Pick<TrainingRequest, 'student' | 'teacher' | 'guidance'>): ((shape: LargestBatch) => number) => {
  const options = { timeMask: false, featureMask: false, frontendTrained: false }
  const of = (config: Wav2Vec2Config, learns: boolean): ((bindings: Bindings) => number) => {
    const { projection, layer, head } = trainingStages(config, { ...options, training: learns })
    const programs = ([[projection, 1], [layer, config.num_hidden_layers], [head, 1]] as const).flatMap(([stage, times]) => (learns ? [stage.forward, stage.backward!] : [stage.forward]).map((graph) => ({ graph, times })))
    return (bindings) => programs.reduce((total, { graph, times }) => total + times * matrixWork(graph.nodes, bindings), 0)
  }
  const guided = guidance !== undefined && guidance.guidance !== 'unguided' && teacher !== undefined
  const [own, taught] = [of(student.config, true), guided ? of(teacher.config, guidance.guidance === 'trajectory') : () => 0]
  return ({ batch, frames }) => own({ batch, time: frames }) + taught({ batch, time: frames })
}
