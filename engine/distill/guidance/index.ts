/** The ways of guiding (He & Garner 2025): where the student starts, who teaches at which update, and how strongly. */
import type { GuidanceName } from '../../contract/index.ts'
import { hybrid } from './hybrid.ts'
import { target } from './target.ts'
import { trajectory } from './trajectory.ts'
import { unguided } from './unguided.ts'
import { waypoint } from './waypoint.ts'
import type { GuidanceWay } from './way.ts'

export const guidanceWays: { readonly [G in GuidanceName]: GuidanceWay } = { unguided, target, trajectory, waypoint, hybrid }

export { sameFrontend, type Classroom, type Guide, type GuidanceWay, type Waypoint } from './way.ts'
