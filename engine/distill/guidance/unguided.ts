import type { GuidanceWay } from './way.ts'

export const unguided: GuidanceWay = {
  startsFrom: 'source',
  when: 'Choose it as the yardstick, or when there is no fine-tuned transformer to learn from.',
  open: () => undefined,
}
