import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** As `nice` has it: others come first, and it computes with what they leave. */
export const lowPriority = 10

/** Puts this process, with all threads that it has and will have, behind others. Linux knows priorities of threads alone: those that began before would go on as they were, the ones that compute among them. */
export const yieldToOthers = (): void => {
  // One that yields more already may not go back.
  const priority = Math.max(lowPriority, getPriority())
  setPriority(priority)
  if (process.platform !== 'linux') return
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      setPriority(Number(thread), priority)
    } catch (error) {
      // A thread may have ended meanwhile.
      if ((error as { info?: { code?: string } }).info?.code !== 'ESRCH') throw error
    }
  }
}
