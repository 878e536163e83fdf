import { UsageError } from '../../errors.ts'
import { FrozenTeacher, nothing, settled, type GuidanceWay, type Waypoint } from './way.ts'

/** The next snapshot ahead of an update (0-based), or the last one behind them all; `pace`: updates from one to the next, where it is not the teacher's own. */
export const waypointAhead = (waypoints: readonly Waypoint[], update: number, pace?: number): Waypoint =>
  waypoints.find((waypoint, i) => (pace === undefined ? waypoint.update : (i + 1) * pace) > update) ?? waypoints.at(-1)!

export const waypoint: GuidanceWay = {
  startsFrom: 'source',
  when: 'Choose it when snapshots of the transformer’s own fine-tuning exist: the student starts from the source and follows them one after the other.',
  open: (classroom) => {
    const { waypoints, guidance } = classroom
    if (waypoints.length === 0) throw new UsageError('--waypoint-models: expected snapshots of the teacher’s training (cald finetune --waypoints keeps them), found none')
    const { layerwiseWeight, outputWeight, waypointUpdates } = guidance
    let current: { from: Waypoint; teacher: FrozenTeacher } | undefined
    return {
      enter: async (update) => {
        const next = waypointAhead(waypoints, update, waypointUpdates)
        if (current?.from === next) return undefined
        await current?.teacher.dispose()
        const model = await next.open()
        current = { from: next, teacher: new FrozenTeacher(classroom, model) }
        return { teacher: next.path, model }
      },
      teach: (key, microBatch, features) => current!.teacher.teach(key, microBatch, features, { layerwiseWeight, outputWeight }),
      begin: nothing,
      leave: settled,
      state: {},
      fetch: settled,
      dispose: async () => current?.teacher.dispose(),
    }
  },
}
