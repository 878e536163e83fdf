import type { GuidanceSettings, TrainingSettings } from '../../contract/index.ts'
import type { LoadOptions } from '../../datasets/index.ts'
import type { SpeechBatch, SpeechModel } from '../../models/index.ts'
import { float32, type Device, type DeviceTensor } from '../../runtime/index.ts'
import { FeatureStore } from '../features.ts'
import type { MicroBatch } from '../microBatches.ts'
import type { Lesson, Normalisers, TrainingBatch } from '../objective.ts'
import { disposePass, forwardPass } from '../passes.ts'
import { withDropoutOf, withRegularisation } from '../regularisation.ts'
import { remembered, StageRunner, type MaskSource, type RandomKey } from '../runner.ts'
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
  readonly audio: LoadOptions
  readonly student: SpeechModel
  /** The fine-tuned transformer, and the pretrained one it comes from where the way needs it. */
  readonly teacher: SpeechModel | undefined
  readonly source: SpeechModel | undefined
  /** Snapshots of the teacher's own training, oldest first. */
  readonly waypoints: readonly Waypoint[]
  /** Options of a teacher's stages but `training`. */
  readonly stages: Omit<StageOptions, 'training'>
  /** Dropout masks of a teacher that learns, or hears in training mode. */
  readonly masks: (key: LessonKey) => MaskSource
}

export interface Waypoint {
  /** Updates of the teacher's training that it had seen. */
  readonly update: number
  readonly path: string
  readonly open: () => Promise<SpeechModel>
}

/** Which micro-batch of which update (0-based). */
export type LessonKey = Pick<RandomKey, 'update' | 'microBatch'>

/** What teaches during a run. */
export interface Guide {
  /** Called before an update (0-based); where the teacher changes there, the new one. */
  readonly enter: (update: number) => Promise<TeacherChange | undefined>
  /** The lesson of a micro-batch, or none. `features` are the student's frontend's. */
  readonly teach: (key: LessonKey, microBatch: MicroBatch, features: DeviceTensor, normalisers: Normalisers) => Promise<OpenLesson | undefined>
  /** Called before the lessons of an update begin, the first time or again: what earlier attempts left is forgotten. */
  readonly begin: () => void
  /** Called when the lessons of an update are over. */
  readonly leave: (update: number) => Promise<void>
  /** Vectors that change while the student learns, by name, as of the latest `fetch`; a checkpoint holds them. */
  readonly state: Readonly<Record<string, Float32Array>>
  readonly fetch: () => Promise<void>
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

/** Whether two models make the same features of the same audio. */
export const sameFrontend = (student: SpeechModel, teacher: SpeechModel): boolean => {
  const part = ({ layout, parameters }: SpeechModel): Float32Array => parameters.subarray(0, layout.stage('frontend').reduce((total, { size }) => total + size, 0))
  const [x, y] = [part(student), part(teacher)]
  return x.length === y.length && x.every((value, i) => value === y[i])
}

/** For ways that do nothing when an update begins or is over. */
export const nothing = (): void => undefined
export const settled = (): Promise<void> => Promise.resolve()

/** The student's batch as a teacher in training mode hears it: with masks drawn for it, and its own spans where it has some. */
export const heardInTraining = (batch: TrainingBatch, masks: MaskSource): TrainingBatch => ({ ...batch, masks: remembered(batch.part?.(masks) ?? masks), spans: batch.teacherSpans ?? batch.spans })

/** A teacher whose parameters stay as they are. */
export class FrozenTeacher {
  readonly #device: Device
  readonly #runner: StageRunner
  /** Of its own frontend, where that is another than the student's frozen one. */
  readonly #features: FeatureStore | undefined
  /** Of a teacher in training mode. */
  readonly #masks: Classroom['masks'] | undefined

  constructor({ device, stages, student, training, audio, guidance, masks }: Classroom, teacher: SpeechModel) {
    this.#device = device
    const drops = guidance.teacherMode === 'training'
    if (drops) this.#masks = masks
    this.#runner = new StageRunner(device, drops ? { ...teacher, config: withDropoutOf(teacher.config, withRegularisation(student.config, training)) } : teacher, { ...stages, training: drops })
    if (training.freezeFrontend && !sameFrontend(student, teacher)) this.#features = new FeatureStore(device, this.#runner, audio, training.featureCacheBytes)
  }

  /** Its pass in the mode that the settings say, over the student's features when their frontend is shared, else over its own. */
  async teach(key: LessonKey, { utterances, batch }: MicroBatch, features: DeviceTensor, weights: Omit<Lesson, 'pass'>): Promise<OpenLesson> {
    const own = await this.#ownFeatures(utterances, batch.audio)
    const pass = await forwardPass(this.#device, this.#runner, own ?? features, this.#masks === undefined ? batch : heardInTraining(batch, this.#masks(key)))
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

  async #ownFeatures(utterances: MicroBatch['utterances'], audio: SpeechBatch | undefined): Promise<DeviceTensor | undefined> {
    if (audio !== undefined) return this.#runner.frontend(audio)
    if (this.#features === undefined) return undefined
    const { data, shape } = await this.#features.batch(utterances)
    return this.#device.upload(float32(data, shape))
  }
}
