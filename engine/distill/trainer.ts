import { join } from 'node:path'
import type { Figures, GuidanceSettings, JobEvent, OnEvent, TrainingSettings, UpdateEvent } from '../contract/index.ts'
import { LineLog, requireEmptyFolder, readJson, writeFileAtomic } from '../checkpoint/index.ts'
import type { LoadOptions, Utterance } from '../datasets/index.ts'
import { DivergedError, InterruptedError, UsageError } from '../errors.ts'
import { isBetter } from '../evaluate/index.ts'
import { Inference, saveModel, withLineage, type ModelFiles, type SpeechModel } from '../models/index.ts'
import type { Precision } from '../onnx/index.ts'
import type { Device } from '../runtime/index.ts'
import { tallyAnswers } from './evaluation.ts'
import { FeatureStore } from './features.ts'
import { guidanceWays, sameFrontend, type Classroom, type Guide, type Waypoint } from './guidance/index.ts'
import { MicroBatches, type MicroBatch } from './microBatches.ts'
import { mixerShare, mixerSharePlaces } from './inherit.ts'
import { openLearner, type Learner } from './learning/index.ts'
import { MixerPhase, mixerSegments } from './mixerPhase.ts'
import { accumulateGradient, normalisersOf, type LossParts, type Normalisers } from './objective.ts'
import type { AdamWSegment } from './optimiser/adamw.ts'
import { clipScale, firstNonFinite, largestGradient } from './optimiser/clip.ts'
import { scheduleOf, segmentsOf } from './optimiser/fromSettings.ts'
import { learningRate, type Schedule } from './optimiser/schedule.ts'
import { disposePass, forwardPass, mostKeptBytes } from './passes.ts'
import { withRegularisation } from './regularisation.ts'
import { difference, loadCheckpoint, saveCheckpoint, stateHash, type Resume, type TrainingState } from './runFolder.ts'
import { drawnMasks, StageRunner } from './runner.ts'
import { MemoryLimit, type Piece } from './split.ts'
import type { Task, Tally } from './tasks/index.ts'

/** Everything a run needs; a job has checked it. */
export interface TrainingRequest {
  /** The model to train; its parameters change. */
  readonly student: SpeechModel
  /** What is saved beside its weights. */
  readonly files: ModelFiles
  /** What config.json's `cald` records about where the model came from. */
  readonly lineage: Readonly<Record<string, unknown>>
  /** How the student is guided, if it is, and the models that this takes. */
  readonly guidance: GuidanceSettings | undefined
  readonly teacher: SpeechModel | undefined
  readonly source: SpeechModel | undefined
  readonly waypoints: readonly Waypoint[]
  readonly settings: TrainingSettings
  /** What run.json says of how they were chosen. */
  readonly chosen?: Readonly<Record<string, unknown>> | undefined
  readonly task: Task
  readonly audio: LoadOptions
  readonly train: readonly Utterance[]
  readonly dev: readonly Utterance[]
  /** The run's folder: run.json, metrics.jsonl, transcripts.json (of the newest evaluation), checkpoints/, best/, last/ and waypoints/. */
  readonly out: string
  readonly resume: Resume
  readonly device: Device
  /** Float type to compute gradients in; default: float32. */
  readonly precision?: Precision | undefined
  /** Memory for what layers keep until their backward pass, at most `mostKeptBytes`, the default; a run that resumes must have as much, to end with the same bits. */
  readonly keptBytes?: number | undefined
}

export interface TrainingResult {
  readonly updates: number
  readonly best: Figures & { readonly update: number; readonly path: string }
  readonly last: Figures & { readonly path: string }
  /** SHA-256 of weights and moments at the end. */
  readonly stateSha256: string
}

/** One training run: batches in, updates to the student's parameters, evaluations and checkpoints out. */
class Trainer {
  readonly #request: TrainingRequest
  readonly #onEvent: OnEvent
  readonly #signal: AbortSignal
  readonly #student: StageRunner
  /** What is evaluated and saved: the student, or its averaged weights. */
  readonly #kept: SpeechModel
  readonly #guide: Guide | undefined
  readonly #mixerPhase: MixerPhase | undefined
  readonly #inference: Inference
  readonly #features: FeatureStore | undefined
  readonly #learner: Learner
  readonly #segments: readonly AdamWSegment[]
  readonly #schedule: Schedule
  readonly #state: TrainingState
  readonly #microBatches: MicroBatches
  readonly #memory: MemoryLimit

  constructor(request: TrainingRequest, signal: AbortSignal, onEvent: OnEvent) {
    this.#request = request
    this.#signal = signal
    this.#onEvent = onEvent
    const { student, settings, device, guidance, precision } = request
    const trained = { ...student, config: withRegularisation(student.config, settings) }
    const { config } = trained
    const options = { timeMask: config.mask_time_prob > 0, featureMask: config.mask_feature_prob > 0, frontendTrained: !settings.freezeFrontend, precision }
    const averaged = settings.averageDecay === undefined ? undefined : student.parameters.slice()
    this.#learner = openLearner(device, student, { averaged, precision })
    this.#student = new StageRunner(device, trained, { ...options, training: true }, this.#learner.weights)
    const masks: Classroom['masks'] = (key) => drawnMasks({ seed: settings.seed, ...key }, 'teacher.')
    this.#guide = guidance === undefined ? undefined : guidanceWays[guidance.guidance].open({ ...request, guidance, training: settings, stages: options, masks })
    this.#mixerPhase = settings.mixerPhase === undefined ? undefined : new MixerPhase(device, this.#student, request.source!, options)
    this.#kept = averaged === undefined ? student : { ...student, parameters: averaged }
    this.#inference = this.#inferenceOf(this.#kept)
    this.#features = settings.freezeFrontend ? new FeatureStore(device, this.#student, request.audio, settings.featureCacheBytes) : undefined
    this.#segments = segmentsOf(student, settings)
    this.#schedule = scheduleOf(settings)
    this.#state = { update: 0, ...this.#learner.state, guide: this.#guide?.state ?? {}, best: undefined, skipped: 0 }
    this.#microBatches = new MicroBatches(request, config, this.#features)
    this.#memory = new MemoryLimit((message) => { onEvent({ kind: 'note', message }); })
  }

  async run(): Promise<TrainingResult> {
    const { out, resume, settings, train, dev } = this.#request
    const metricsBytes = resume === false ? await this.#begin() : await this.#resume(resume)
    const log = await LineLog.open(join(out, 'metrics.jsonl'), metricsBytes)
    try {
      await this.#features?.prepare([...train, ...dev], (done, total) => this.#onEvent({ kind: 'progress', stage: 'frontend features', done, total }), this.#signal)
      // A resumed run's teacher was recorded when it came.
      if (this.#state.update > 0) await this.#guide?.enter(this.#state.update - 1)
      let last = this.#ended() ? await this.#evaluate(log, false) : undefined
      if (last !== undefined) return await this.#finish(last)
      for await (const microBatches of this.#microBatches.from(this.#state.update)) {
        if (this.#signal.aborted) await this.#interrupt(log)
        await this.#enter(log)
        const event = await this.#update(microBatches)
        await this.#record(log, event)
        await this.#waypoint()
        if (this.#state.update === settings.updates || this.#state.update % settings.evaluateEvery === 0) {
          const started = performance.now()
          last = await this.#evaluate(log, true)
          await this.#checkpoint(log)
          this.#secondsPerEvaluation = (performance.now() - started) / 1000
        }
        if (this.#ended()) break
      }
      return await this.#finish(last!)
    } finally {
      await log.close()
      await this.#student.dispose()
      await this.#learner.dispose()
      await this.#guide?.dispose()
      await this.#mixerPhase?.dispose()
      await this.#inference.dispose()
    }
  }

  /** Whether all updates are done, or `patience` evaluations brought nothing better. */
  #ended(): boolean {
    const { updates, patience, evaluateEvery } = this.#request.settings
    const { update, best } = this.#state
    return update >= updates || (patience !== undefined && best !== undefined && update - best.update >= patience * evaluateEvery)
  }

  /** The settings that decide what a run computes; a resumed run must have the same. */
  #settings(): Record<string, unknown> {
    const { settings, guidance, task, lineage, precision = 'float32', keptBytes = mostKeptBytes } = this.#request
    return { settings, precision, keptBytes, guidance: guidance ?? null, ...task.record, lineage }
  }

  async #begin(): Promise<number> {
    const { out, chosen = {} } = this.#request
    await requireEmptyFolder(out)
    await writeFileAtomic(join(out, 'run.json'), `${JSON.stringify({ ...this.#settings(), ...chosen, versions: { node: process.version } }, null, 2)}\n`)
    return 0
  }

  async #resume(from: Exclude<Resume, false>): Promise<number> {
    const { out } = this.#request
    const path = join(out, 'run.json')
    const recorded = (await readJson(path)) as Record<string, unknown> | undefined
    if (recorded === undefined) return this.#begin()
    // What runs were that began before there was a choice.
    const before: Readonly<Record<string, unknown>> = { precision: 'float32', keptBytes: 0 }
    for (const [key, value] of Object.entries(this.#settings())) {
      const different = difference(key in recorded ? recorded[key] : before[key], JSON.parse(JSON.stringify(value)), key)
      if (different !== undefined) throw new UsageError(`--resume: expected ${different.path} of ${path}, ${different.then}, found ${different.now}`)
    }
    return loadCheckpoint(out, this.#state, from)
  }

  async #update(microBatches: readonly MicroBatch[]): Promise<UpdateEvent> {
    const { settings } = this.#request
    const started = performance.now()
    await this.#switchMixers()
    const parts = await this.#learn(microBatches)
    const norm = await this.#learner.gradient.norm()
    const rate = this.#learningRate()
    const utterances = microBatches.flatMap((microBatch) => microBatch.utterances)
    this.#state.update++
    if (Number.isFinite(parts.loss) && Number.isFinite(norm)) await this.#step(rate, norm)
    else if (Number.isFinite(parts.loss) && this.#learner.lossScale.follow(false)) this.#onEvent({ kind: 'note', message: `update ${this.#state.update}: a gradient left the range of float16; the loss scale is ${this.#learner.lossScale.value} from here` })
    else await this.#skip(utterances, parts)
    const seconds = (performance.now() - started) / 1000
    const audioSeconds = utterances.reduce((total, { duration }) => total + duration, 0)
    // The first update compiles: the second one's time takes its place.
    this.#secondsPerUpdate = this.#secondsPerUpdate === undefined || this.#counted < 2 ? seconds : 0.95 * this.#secondsPerUpdate + 0.05 * seconds
    this.#counted++
    return {
      kind: 'update',
      update: this.#state.update,
      updates: settings.updates,
      loss: parts.loss,
      [this.#request.task.loss]: parts.task,
      ...(this.#guide === undefined && this.#mixerPhase === undefined ? {} : { layerwise: parts.layerwise, alignment: parts.alignment, output: parts.output }),
      learningRate: rate,
      gradientNorm: norm,
      audioSeconds,
      audioSecondsPerSecond: audioSeconds / seconds,
      at: Date.now(),
      memoryBytes: process.memoryUsage.rss(),
      infeasible: parts.infeasible,
      secondsLeft: (settings.updates - this.#state.update) * this.#secondsPerUpdate + this.#evaluationsLeft() * this.#secondsPerEvaluation,
    }
  }

  /** Forward and backward of an update's micro-batches, with the lessons that the guide has for them; losses are means over them all. */
  async #learn(microBatches: readonly MicroBatch[]): Promise<LossParts> {
    const normalisers = normalisersOf(microBatches.map(({ batch }) => batch))
    let parts: LossParts[] = []
    await this.#memory.fit(microBatches, async (pieces) => {
      this.#learner.begin()
      this.#guide?.begin()
      parts = []
      for (const piece of pieces) parts.push(await this.#learnPiece(piece, normalisers))
    })
    if (!this.#mixersApart()) await this.#guide?.leave(this.#state.update)
    return parts.reduce(addParts)
  }

  async #learnPiece({ index, microBatch }: Piece, normalisers: Normalisers): Promise<LossParts> {
    const { settings, device } = this.#request
    const { gradient } = this.#learner
    const { batch } = microBatch
    const features = batch.features === undefined ? await this.#student.frontend(batch.audio!) : await device.upload(batch.features)
    try {
      if (this.#mixersApart()) return await this.#mixerPhase!.learn(microBatch, features, normalisers, gradient)
      const lesson = await this.#guide?.teach({ update: this.#state.update, microBatch: index }, microBatch, features, normalisers)
      const pass = await forwardPass(device, this.#student, features, batch, { dropped: batch.droppedLayers, keep: this.#request.keptBytes ?? mostKeptBytes })
      const parts = await accumulateGradient(this.#student, pass, lesson, batch, normalisers, gradient, !settings.freezeFrontend)
      await lesson?.close()
      disposePass(pass)
      return parts
    } finally {
      features.dispose()
    }
  }

  /** Whether the update under way is of the phase in which mixers learn alone. */
  #mixersApart(): boolean {
    return this.#state.update < (this.#request.settings.mixerPhase?.updates ?? 0)
  }

  /** Sets the share that activation, gate and norm of inherited mixers have in the update under way. */
  async #switchMixers(): Promise<void> {
    const { settings, student } = this.#request
    if (settings.mixerSwitch !== undefined) await this.#learner.assign(mixerSharePlaces(student), mixerShare(settings.mixerSwitch, this.#state.update))
  }

  /** Of the update under way. */
  #learningRate(): number {
    const { mixerPhase } = this.#request.settings
    const { update } = this.#state
    if (mixerPhase === undefined) return learningRate(this.#schedule, update)
    if (this.#mixersApart()) return mixerPhase.learningRate * Math.min(1, (update + 1) / Math.ceil(mixerPhase.updates / 10))
    return learningRate(this.#schedule, update - mixerPhase.updates)
  }

  /** Changes the parameters by the gradient of the update that was just counted. */
  async #step(rate: number, norm: number): Promise<void> {
    const { settings, student } = this.#request
    const { lossScale } = this.#learner
    const { update } = this.#state
    const skipped = this.#state.skipped + lossScale.overflows
    const before = settings.mixerPhase?.updates ?? 0
    const gradientScale = clipScale(norm, settings.clipNorm)
    if (update <= before) {
      await this.#learner.step({ learningRate: rate, update: update - skipped, gradientScale, segments: mixerSegments(student, settings) })
    } else {
      await this.#learner.step({ learningRate: rate, update: update - before - skipped, gradientScale, segments: this.#segments })
    }
    lossScale.follow(true)
    if (update === before) this.#beginJointly()
    if (settings.averageDecay !== undefined) await this.#learner.follow(settings.averageDecay, update)
  }

  /** The joint phase starts with moments of its own: those of the mixers belong to another loss, and the other parameters have none. */
  #beginJointly(): void {
    this.#learner.forgetMoments()
    this.#learner.lossScale.forgetOverflows()
    this.#state.skipped = 0
  }

  /** Lets an update pass that is not finite, as often as the settings allow. */
  async #skip(utterances: readonly Utterance[], parts: LossParts): Promise<void> {
    const error = await this.#diverged(utterances, parts)
    if (this.#state.skipped >= this.#request.settings.skipNonFinite) throw error
    this.#state.skipped++
    this.#onEvent({ kind: 'note', message: `skipped ${error.message}` })
  }

  /** Lets the guide change teachers before an update, and records the new one with its errors. */
  async #enter(log: LineLog): Promise<void> {
    const change = await this.#guide?.enter(this.#state.update)
    if (change === undefined) return
    const rates = change.model === undefined ? {} : await this.#measureTeacher(change.model)
    await this.#record(log, { kind: 'teacher', update: this.#state.update + 1, teacher: change.teacher, ...rates })
  }

  #secondsPerUpdate: number | undefined
  /** Of the newest evaluation and its checkpoint; 0 before the first. */
  #secondsPerEvaluation = 0
  /** Updates that this process made. */
  #counted = 0

  /** Evaluations behind the update that was just counted, its own included. */
  #evaluationsLeft(): number {
    const { updates, evaluateEvery } = this.#request.settings
    return Math.ceil(updates / evaluateEvery) - Math.ceil(this.#state.update / evaluateEvery) + 1
  }

  async #diverged(utterances: readonly Utterance[], parts: LossParts): Promise<DivergedError> {
    const places = this.#student.model.layout.places
    const nameOf = (index: number): string => places.find(({ offset, size }) => index >= offset && index < offset + size)!.name
    const gradient = [await this.#learner.gradient.read()]
    const broken = firstNonFinite(gradient)
    const largest = largestGradient(gradient)
    const gradients = [
      broken === undefined ? undefined : `first not finite in ${nameOf(broken.index)}`,
      largest === undefined ? undefined : `largest finite ${largest.value.toExponential(3)} in ${nameOf(largest.index)}`,
    ].filter((part) => part !== undefined)
    const files = utterances.map(({ id }) => id).join(', ')
    return new DivergedError(
      `update ${this.#state.update}: expected a finite loss, found ${parts.loss} (${this.#request.task.loss} ${parts.task}, layerwise ${parts.layerwise}, output ${parts.output}); gradient: ${gradients.join(', ')}; batch: ${files}`,
    )
  }

  async #evaluate(log: LineLog, record: boolean): Promise<Figures> {
    const { files, lineage, out } = this.#request
    await this.#learner.fetch('weights')
    const tally = await this.#measure(this.#inference)
    this.#inference.parametersChanged()
    const figures = tally.figures()
    if (!record) return figures
    const { update } = this.#state
    const best = this.#state.best === undefined || isBetter(figures, this.#state.best)
    if (best) {
      this.#state.best = { update, ...figures }
      await saveModel(join(out, 'best'), withLineage(this.#kept, { ...lineage, update, ...figures }), files, { replace: true })
    }
    await writeFileAtomic(join(out, 'transcripts.json'), `${JSON.stringify({ update, utterances: tally.transcribed() })}\n`)
    await this.#record(log, { kind: 'evaluation', update, ...figures, best })
    return figures
  }

  /** A model's answers on the development data. */
  #measure(inference: Inference, load = (utterances: readonly Utterance[]) => this.#microBatches.load(utterances)): Promise<Tally> {
    const { dev, task, settings } = this.#request
    return tallyAnswers(inference, task, dev, settings.batchSeconds, load)
  }

  async #measureTeacher(model: SpeechModel): Promise<Figures> {
    const shared = sameFrontend(this.#request.student, model)
    const inference = shared ? this.#inferenceOf(model) : new Inference(this.#request.device, model, { from: 'audio' }, { keepsMemory: false })
    const tally = await this.#measure(inference, shared ? undefined : (utterances) => this.#microBatches.audio(utterances))
    await inference.dispose()
    return tally.figures()
  }

  #inferenceOf(model: SpeechModel): Inference {
    const { device, settings } = this.#request
    return new Inference(device, model, { from: settings.freezeFrontend ? 'features' : 'audio' }, { keepsMemory: false })
  }

  /** Keeps a snapshot where one is due. */
  async #waypoint(): Promise<void> {
    const { out, files, lineage, settings } = this.#request
    const { update } = this.#state
    if (settings.waypointEvery === undefined || update % settings.waypointEvery !== 0) return
    await this.#learner.fetch('weights')
    await saveModel(join(out, 'waypoints', `update-${String(update).padStart(8, '0')}`), withLineage(this.#kept, { ...lineage, update }), files, { replace: true })
  }

  async #record(log: LineLog, event: JobEvent): Promise<void> {
    await log.append(JSON.stringify(event))
    this.#onEvent(event)
  }

  /** Brings all of the state up to date that devices hold. */
  async #fetch(): Promise<void> {
    await this.#learner.fetch('all')
    await this.#guide?.fetch()
  }

  async #checkpoint(log: LineLog): Promise<void> {
    await log.sync()
    await this.#fetch()
    const path = await saveCheckpoint(this.#request.out, this.#state, log.bytes, this.#request.settings.keepCheckpoints)
    this.#onEvent({ kind: 'checkpoint', update: this.#state.update, path })
  }

  async #interrupt(log: LineLog): Promise<never> {
    await this.#checkpoint(log)
    throw new InterruptedError(`stopped after update ${this.#state.update} of ${this.#request.settings.updates}; --resume goes on from there`)
  }

  async #finish(last: Figures): Promise<TrainingResult> {
    const { out, files, lineage } = this.#request
    const { update, best } = this.#state
    await this.#fetch()
    await saveModel(join(out, 'last'), withLineage(this.#kept, { ...lineage, update, ...last }), files, { replace: true })
    return { updates: update, best: { ...best!, path: join(out, 'best') }, last: { ...last, path: join(out, 'last') }, stateSha256: stateHash(this.#state) }
  }
}

const addParts = (a: LossParts, b: LossParts): LossParts => ({
  loss: a.loss + b.loss,
  task: a.task + b.task,
  layerwise: a.layerwise + b.layerwise,
  output: a.output + b.output,
  alignment: a.alignment.map((value, i) => value + b.alignment[i]!),
  infeasible: a.infeasible + b.infeasible,
})

/**
 * Trains the student on its task, guided by the teacher if there is one. Keeps the best and the last model under `out`, a checkpoint at
 * every evaluation, and resumes from the newest or an earlier one; on the CPU with equal threads a resumed run ends with the same bits.
 */
export const train = (request: TrainingRequest, { signal, onEvent }: { signal: AbortSignal; onEvent: OnEvent }): Promise<TrainingResult> =>
  new Trainer(request, signal, onEvent).run()
