/**
 * Training: stages run forward and backward (`stages.ts`, `runner.ts`), CALD's objective over them (`objective.ts`),
 * the tasks (`tasks/`) with their losses (`objectives/`), the host's losses
 * and optimiser, and the trainer with its run folder. `transfer.ts` makes a student out of a transformer.
 */
export { footprintOf, trainingWork, type LargestBatch } from './footprint.ts'
export { guidanceWays, type Waypoint } from './guidance/index.ts'
export { mostKeptBytes } from './passes.ts'
export { withRegularisation } from './regularisation.ts'
export type { Resume } from './runFolder.ts'
export { studentConfig, studentFrom } from './transfer.ts'
export { taskOf, transcripts, type Task, type Transcribed } from './tasks/index.ts'
export { train, type TrainingRequest, type TrainingResult } from './trainer.ts'
export { TrialUpdates } from './trial.ts'
