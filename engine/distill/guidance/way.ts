import type { GuidanceSettings, TrainingSettings } from '../../contract/index.ts'
import { UsageError } from '../../errors.ts'
import type { SpeechModel } from '../../models/index.ts'
import type { Device, DeviceTensor } from '../../runtime/index.ts'
import type { Lesson, Normalisers, TrainingBatch } from '../objective.ts'
import { disposePass, forwardPass } from '../passes.ts'
import { StageRunner, type MaskSource, type RandomKey } from '../runner.ts'
import type { StageOptions } from '../stages.ts'

/** A way of guiding. To add one, write a file like its neighbours and enter it in the table of index.ts. */
export interface GuidanceWay {
  /** Where the student's parameters come from. */
  readonly startsFrom: 'source' | 'teacher'
  /** One sentence: when to choose it. */
  readonly when: string
  /** Sets up what teaches during a run; undefined when nothing does. */
  readonly open: (classroom: Classroom) => Guide | undefined
}

/** What a way of guiding has to work with. */
export interface Classroom {
  readonly device: Device
  readonly guidance: GuidanceSettings
  readonly training: TrainingSettings
  readonly student: SpeechModel
  /** The fine-tuned transformer, and the pretrained one it comes from where the way needs it. */
  readonly teacher: SpeechModel | undefined
  readonly source: SpeechModel | undefined
  /** Snapshots of the teacher's own training, oldest first. */
  readonly waypoints: readonly Waypoint[]
  /** Options of a teacher's stages but `training`. */
  readonly stages: Omit<StageOptions, 'training'>
  /** Dropout masks of a teacher that learns. */
  readonly masks: (key: Pick<RandomKey, 'update' | 'microBatch'>) => MaskSource
}

export interface Waypoint {
  /** Updates of the teacher's training that it had seen. */
  readonly update: number
  readonly path: string
  readonly open: () => Promise<SpeechModel>
}

/** What teaches during a run. */
export interface Guide {
  /** Called before an update (0-based); where the teacher changes there, the new one. */
  readonly enter: (update: number) => Promise<TeacherChange | undefined>
  /** The lesson of a micro-batch, or none. `features` are the student's frontend's. */
  readonly teach: (key: Pick<RandomKey, 'update' | 'microBatch'>, batch: TrainingBatch, features: DeviceTensor, normalisers: Normalisers) => Promise<OpenLesson | undefined>
  /** Called when the lessons of an update are over. */
  readonly leave: (update: number) => void
  /** Vectors that change while the student learns, by name; a checkpoint holds them. */
  readonly state: Readonly<Record<string, Float32Array>>
  readonly dispose: () => Promise<void>
}

export interface TeacherChange {
  /** What the log calls the new teacher. */
  readonly teacher: string
  /** To be evaluated; undefined when none teaches from here. */
  readonly model: SpeechModel | undefined
}

/** A lesson that holds device memory until it is closed. */
export interface OpenLesson extends Lesson {
  /** Called once the student has learned. */
  readonly close: () => Promise<void>
}

/** UsageError unless teacher and student may share the features of a frozen frontend. */
export const requireSameFrontend = (student: SpeechModel, teacher: SpeechModel): void => {
  const part = ({ layout, parameters }: SpeechModel): Float32Array => parameters.subarray(0, layout.stage('frontend').reduce((total, { size }) => total + size, 0))
  const [x, y] = [part(student), part(teacher)]
  if (x.length === y.length && x.every((value, i) => value === y[i])) return
  throw new UsageError('expected teacher and student to share a frozen frontend, found different ones (--train-frontend trains the student’s own)')
}

/** For ways that do nothing when an update is over. */
export const leaveNothing = (): void => undefined

/** A teacher whose parameters stay as they are. */
export class FrozenTeacher {
  readonly #device: Device
  readonly #runner: StageRunner

  constructor({ device, stages, student, training }: Classroom, teacher: SpeechModel) {
    if (training.freezeFrontend) requireSameFrontend(student, teacher)
    this.#device = device
    this.#runner = new StageRunner(device, teacher, { ...stages, training: false })
  }

  /** Its pass in evaluation mode, over the student's features when their frontend is shared, else over the audio. */
  async teach(batch: TrainingBatch, features: DeviceTensor, weights: Omit<Lesson, 'pass'>): Promise<OpenLesson> {
    const own = batch.features === undefined ? await this.#runner.frontend(batch.audio!) : undefined
    const pass = await forwardPass(this.#device, this.#runner, own ?? features, batch)
    own?.dispose()
    return {
      pass,
      ...weights,
      close: () => {
        disposePass(pass)
        return Promise.resolve()
      },
    }
  }

  dispose(): Promise<void> {
    return this.#runner.dispose()
  }
}
