import { DivergedError, UsageError } from '../../errors.ts'
import { openLearner } from '../learning/index.ts'
import { clipScale } from '../optimiser/clip.ts'
import { scheduleOf, segmentsOf } from '../optimiser/fromSettings.ts'
import { learningRate } from '../optimiser/schedule.ts'
import { accumulateGradient } from '../objective.ts'
import { disposePass, forwardPass } from '../passes.ts'
import { withRegularisation } from '../regularisation.ts'
import { StageRunner } from '../runner.ts'
import { heardInTraining, sameFrontend, type GuidanceWay } from './way.ts'

export const trajectory: GuidanceWay = {
  startsFrom: 'source',
  when: 'Choose it when there is only a pretrained transformer: a copy of it is fine-tuned beside the student, which follows it all the way.',
  open: ({ device, guidance, training, student, source, stages, masks }) => {
    if (source === undefined) throw new UsageError('--source: expected a pretrained transformer for trajectory guidance, found none')
    if (training.freezeFrontend && !sameFrontend(student, source)) throw new UsageError('--source: expected the model that the student starts from, found another frontend')
    const { layerwiseWeight, outputWeight, teacherEvery, teacherMode } = guidance
    const teacher = { ...source, config: withRegularisation(source.config, training), parameters: source.parameters.slice() }
    const learner = openLearner(device, teacher, { precision: stages.precision })
    const { gradient } = learner
    const learning = new StageRunner(device, teacher, { ...stages, training: true }, learner.weights)
    const watching = new StageRunner(device, teacher, { ...stages, training: false }, learner.weights)
    const segments = segmentsOf(teacher, training)
    const schedule = scheduleOf(training)
    // It learns in one of `teacherEvery` updates of the student, from the pass that guides there; in the others it is only watched.
    const learnsAt = (update: number): boolean => update % teacherEvery === 0
    return {
      enter: () => Promise.resolve(undefined),
      teach: async (key, { batch: shared }, sharedFeatures, normalisers) => {
        const learns = learnsAt(key.update)
        const runner = learns || teacherMode === 'training' ? learning : watching
        const batch = heardInTraining(shared, masks(key))
        const own = batch.features === undefined ? await runner.frontend(batch.audio!) : undefined
        const pass = await forwardPass(device, runner, own ?? sharedFeatures, batch)
        return {
          pass,
          layerwiseWeight,
          outputWeight,
          close: async () => {
            if (learns) await accumulateGradient(runner, pass, undefined, batch, normalisers, gradient, !training.freezeFrontend)
            disposePass(pass)
            own?.dispose()
          },
        }
      },
      begin: () => { learner.begin(); },
      leave: async (update) => {
        if (!learnsAt(update)) return
        const norm = await gradient.norm()
        if (!Number.isFinite(norm) && learner.lossScale.follow(false)) return
        if (!Number.isFinite(norm)) throw new DivergedError(`update ${update + 1}: expected a finite gradient of the teacher that is trained beside the student, found ${norm}`)
        await learner.step({ learningRate: learningRate(schedule, update), update: update / teacherEvery + 1 - learner.lossScale.overflows, gradientScale: clipScale(norm, training.clipNorm), segments })
        learner.lossScale.follow(true)
      },
      state: { teacherParameters: teacher.parameters, teacherFirstMoment: learner.state.firstMoment, teacherSecondMoment: learner.state.secondMoment, ...(learner.state.lossScale === undefined ? {} : { teacherLossScale: learner.state.lossScale }) },
      fetch: () => learner.fetch('all'),
      dispose: async () => {
        await learning.dispose()
        await watching.dispose()
        await learner.dispose()
      },
    }
  },
}
