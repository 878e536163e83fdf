/** What models are trained and measured for; guidance and trainer know tasks by their interface alone. */
import type { TextSettings } from '../../contract/index.ts'
import type { Vocabulary } from '../../datasets/index.ts'
import { UsageError } from '../../errors.ts'
import { headOf, labelSetsOf, type Head, type Wav2Vec2Config } from '../../models/index.ts'
import { classification } from './classification.ts'
import { recognition } from './recognition.ts'
import type { Task } from './task.ts'

/** What a task needs beside the model's configuration. */
export interface TaskNeeds {
  /** How messages call the model. */
  readonly model: string
  readonly vocabulary: Vocabulary | undefined
  readonly text: TextSettings
  /** The manifest's field of each label set; those of the model's names by default. */
  readonly fields: readonly string[] | undefined
}

const classifying = (config: Wav2Vec2Config, { model, fields }: TaskNeeds): Task => {
  const sets = labelSetsOf(headOf(config))
  const names = sets.map(({ name }) => name)
  if (fields !== undefined && fields.length !== sets.length) {
    throw new UsageError(`--labels: expected ${sets.length === 1 ? 'one field' : `${sets.length} fields`}, for ${names.join(', ')} of ${model}, found ${fields.join(', ')}`)
  }
  return classification(sets, fields ?? names)
}

const tasks: { readonly [K in Head['kind']]: (config: Wav2Vec2Config, needs: TaskNeeds) => Task } = {
  none: (_, { model }) => {
    throw new UsageError(`${model}: expected a model with a head, found an encoder alone (cald finetune gives it one)`)
  },
  ctc: ({ pad_token_id }, { model, vocabulary, text, fields }) => {
    if (fields !== undefined) throw new UsageError(`--labels: expected a model that classifies, found a CTC head in ${model}`)
    return recognition(vocabulary!, text, pad_token_id)
  },
  projector: classifying,
  direct: classifying,
}

/** The task that a model's head is for. UsageError when labels or text were asked for that it does not have. */
export const taskOf = (config: Wav2Vec2Config, needs: TaskNeeds): Task => tasks[headOf(config).kind](config, needs)

export { transcripts } from './recognition.ts'
export type { Tally, Task, Transcribed } from './task.ts'
