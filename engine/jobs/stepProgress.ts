import type { JobEvent } from '../contract/index.ts'
import { taskLossOf } from '../evaluate/index.ts'
import type { JobContext } from './context.ts'

/**
 * Progress of a job made of jobs: one bar over all steps, and the time left. Each step has a weight, about its seconds on some machine;
 * how fast this machine is follows from the steps and parts of steps that are done.
 */
export class StepProgress {
  readonly #context: JobContext
  readonly #steps: readonly (readonly [name: string, weight: number])[]
  readonly #started = performance.now()
  #index = 0
  #before = 0

  constructor(context: JobContext, steps: readonly (readonly [name: string, weight: number])[]) {
    this.#context = context
    this.#steps = steps
  }

  /** Runs the next step; its events move the bar. */
  async run<T>(step: (within: JobContext) => Promise<T>): Promise<T> {
    const [name, weight] = this.#steps[this.#index]!
    this.#show(`${this.#index + 1}/${this.#steps.length} ${name}`, 0)
    const onEvent = (event: JobEvent): void => {
      const stage = `${this.#index + 1}/${this.#steps.length} ${name}`
      if (event.kind === 'update') this.#show(`${stage}, update ${event.update}/${event.updates}, loss ${taskLossOf(event).value.toFixed(2)}`, weight * (event.update / event.updates))
      else if (event.kind === 'progress') this.#show(`${stage}, ${event.stage} ${event.done}/${event.total}`, weight * shareOf(event))
      else if (event.kind === 'note') this.#context.onEvent(event)
    }
    const result = await step({ signal: this.#context.signal, onEvent })
    this.#before += weight
    this.#index++
    return result
  }

  #show(stage: string, within: number): void {
    const total = this.#steps.reduce((sum, [, weight]) => sum + weight, 0)
    const done = this.#before + within
    const elapsed = (performance.now() - this.#started) / 1000
    this.#context.onEvent({ kind: 'progress', stage, done, total, ...(done > 0 ? { secondsLeft: ((total - done) * elapsed) / done } : {}) })
  }
}

/** What comes before the updates of a conversion is short beside them. */
const shareOf = ({ stage, done, total }: { stage: string; done: number; total: number }): number => (stage === 'frontend features' ? 0.05 : 1) * (done / total)
