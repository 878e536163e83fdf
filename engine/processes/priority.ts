import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'

/** As `nice` has it: others come first, and it computes with what they leave. */
export const lowPriority = 10

/** Puts this process, with all threads that it has and will have, behind others. Linux knows priorities of threads alone: those that began before would go on as they were, the ones that compute among them. */
export const yieldToOthers = (): void => {
  setPriority(lowPriority)
  if (process.platform !== 'linux') return
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      setPriority(Number(thread), lowPriority)
    } catch {
      // It ended meanwhile.
    }
  }
}
