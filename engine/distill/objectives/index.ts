/** What each task asks of the logits: its loss, the distributions that are distilled, and what their means run over. */
export { classificationObjective } from './classification.ts'
export { countedFrames, frameWeights, type Objective, type Targeted } from './objective.ts'
export { recognitionObjective } from './recognition.ts'
