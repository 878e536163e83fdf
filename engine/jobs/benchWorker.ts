import { InterruptedError, RuntimeError } from '../errors.ts'
import { launch, type Child } from '../processes/index.ts'
import type { DeviceName } from '../runtime/index.ts'
import type { BenchTask } from './benchTasks.ts'

/** Where a measuring process computes. */
export interface OpenedCompute {
  readonly device: DeviceName
  readonly threads: number
}

export type Request = (OpenedCompute & { readonly kind: 'open'; readonly task: BenchTask }) | { readonly kind: 'run' }
export type Answer = ({ readonly kind: 'ready' } & Opened) | ({ readonly kind: 'ran' } & Ran) | { readonly kind: 'failed'; readonly error: string }

export interface Opened {
  readonly device: string
  readonly parameters: number
  /** Floating-point operations of a run's matrix work. */
  readonly work: number
}

export interface Ran {
  readonly milliseconds: number
  /** Of the processor, over all threads. */
  readonly processorMilliseconds: number
  /** Floating-point operations a second of matrix products just after it. */
  readonly matmulRate: number
  /** The most memory the process has held so far. */
  readonly peakBytes: number
}

/** A process that runs one task as often as it is asked to. */
export class BenchWorker {
  readonly #child: Child
  readonly #signal: AbortSignal
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  private constructor(signal: AbortSignal) {
    this.#signal = signal
    this.#child = launch(new URL('./benchProcess', import.meta.url), {
      heard: true,
      keepsMemory: true,
      onMessage: (message) => this.#settle?.resolve(message as Answer),
      onEnd: (how) => this.#settle?.reject(signal.aborted ? new InterruptedError('stopped while measuring') : new RuntimeError(`the measuring process ended with ${how}; there may be too little memory`)),
    })
    signal.addEventListener('abort', this.#child.kill, { once: true })
  }

  /** Starts a process and opens the task there. */
  static async open(task: BenchTask, compute: OpenedCompute, signal: AbortSignal): Promise<{ worker: BenchWorker; opened: Opened }> {
    const worker = new BenchWorker(signal)
    try {
      const opened = await worker.#ask({ ...compute, kind: 'open', task })
      if (opened.kind !== 'ready') throw new RuntimeError('error' in opened ? opened.error : 'expected a task to be opened, found it run')
      return { worker, opened }
    } catch (error) {
      worker.close()
      throw error
    }
  }

  /** One run; RuntimeError when it fails or the process ends, InterruptedError when it was stopped. */
  async run(): Promise<Ran> {
    const ran = await this.#ask({ kind: 'run' })
    if (ran.kind !== 'ran') throw new RuntimeError('error' in ran ? ran.error : 'expected a run, found another answer')
    return ran
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#child.kill)
    this.#child.kill()
  }

  #ask(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#child.send(request)
    })
  }
}
