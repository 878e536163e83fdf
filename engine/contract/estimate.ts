/** What a run holds in memory at once, in bytes. */
export interface Footprint {
  /** Weights of student, teacher, source and their average. */
  readonly weights: number
  /** Gradient and moments of the student, and of a teacher that learns beside it. */
  readonly optimiser: number
  /** What a frozen frontend made of the recordings. */
  readonly features: number
  /** Hidden states, dropout masks and inputs of the largest batch. */
  readonly activations: number
  /** Results that layers keep for their backward pass. */
  readonly kept: number
  /** What the largest program needs besides while it runs. */
  readonly working: number
}

/** Time and memory of a conversion before it is begun. */
export interface Estimate {
  readonly device: string
  readonly threads: number
  readonly updates: number
  /** Of an update on average, and of the whole run. */
  readonly secondsPerUpdate: number
  readonly seconds: { readonly total: number; readonly features: number; readonly updates: number; readonly evaluations: number; readonly checkpoints: number }
  /** The most bytes that the run will hold at once in this machine's memory, and of what they are made. */
  readonly hostBytes: number
  readonly parts: Footprint & {
    /** This process before anything was opened. */
    readonly process: number
    /** What a rehearsal held beyond its own parts: compiled programs, the heap, memory that the allocator keeps. */
    readonly runtime: number
  }
  /** The same on a GPU; 0 where there is none. */
  readonly deviceBytes: number
  readonly checkpointBytes: number
}

/** Beside what this machine has. */
export interface ConversionEstimate extends Estimate {
  readonly machine: { readonly memoryBytes: number; readonly freeDiskBytes: number }
}
