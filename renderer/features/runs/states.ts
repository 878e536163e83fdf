import type { RunState } from '../../../engine/contract/index.ts'

/** Each state in words, with what happens next. */
export const states: { readonly [S in RunState]: { readonly word: string; readonly badge: string; readonly next: string } } = {
  queued: { word: 'queued', badge: '', next: 'It starts when the run before it is over.' },
  running: { word: 'running', badge: 'live', next: 'It can be stopped at any time; a checkpoint is written and it resumes from there.' },
  stopped: { word: 'stopped', badge: '', next: 'Resume goes on from the checkpoint that was written.' },
  interrupted: { word: 'interrupted', badge: 'warn', next: 'The engine ended while it ran. Resume goes on from the newest checkpoint; updates behind it are done again.' },
  failed: { word: 'failed', badge: 'bad', next: 'What was written stands. Mend the cause, then resume.' },
  done: { word: 'done', badge: 'student', next: 'The student is in the library.' },
}
