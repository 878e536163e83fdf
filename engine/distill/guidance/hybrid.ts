import { UsageError } from '../../errors.ts'
import { FrozenTeacher, nothing, settled, type GuidanceWay } from './way.ts'

export const hybrid: GuidanceWay = {
  startsFrom: 'teacher',
  when: 'Choose it when the student should leave the transformer’s ways once it stands: target guidance up to an update, the task alone (or with β) from there.',
  open: (classroom) => {
    const { layerwiseWeight, outputWeight, switchUpdate, keepOutput } = classroom.guidance
    if (switchUpdate === undefined) throw new UsageError('--switch: expected the update at which hybrid guidance lets go, found none')
    const teacher = new FrozenTeacher(classroom, classroom.teacher!)
    const after = keepOutput ? outputWeight : 0
    return {
      enter: (update) => Promise.resolve(update === switchUpdate ? { teacher: after > 0 ? 'outputs only' : 'none', model: undefined } : undefined),
      teach: (key, microBatch, features) => {
        if (key.update < switchUpdate) return teacher.teach(key, microBatch, features, { layerwiseWeight, outputWeight })
        return after > 0 ? teacher.teach(key, microBatch, features, { layerwiseWeight: 0, outputWeight: after }) : Promise.resolve(undefined)
      },
      begin: nothing,
      leave: settled,
      state: {},
      fetch: settled,
      dispose: () => teacher.dispose(),
    }
  },
}
