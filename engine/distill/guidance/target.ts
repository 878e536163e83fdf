import { FrozenTeacher, nothing, settled, type GuidanceWay } from './way.ts'

export const target: GuidanceWay = {
  startsFrom: 'teacher',
  when: 'Choose it first: the student starts from the fine-tuned transformer and follows it to the end.',
  open: (classroom) => {
    const { layerwiseWeight, outputWeight } = classroom.guidance
    const teacher = new FrozenTeacher(classroom, classroom.teacher!)
    return {
      enter: () => Promise.resolve(undefined),
      teach: (key, microBatch, features) => teacher.teach(key, microBatch, features, { layerwiseWeight, outputWeight }),
      begin: nothing,
      leave: settled,
      state: {},
      fetch: settled,
      dispose: () => teacher.dispose(),
    }
  },
}
