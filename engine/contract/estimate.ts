/** Time and memory of a conversion before it is begun, beside what this machine has. */
export interface ConversionEstimate {
  readonly device: string
  readonly threads: number
  readonly updates: number
  readonly secondsPerUpdate: number
  readonly seconds: { readonly total: number; readonly features: number; readonly updates: number; readonly evaluations: number; readonly checkpoints: number }
  /** Peak memory, and of what it is made; bytes. */
  readonly hostBytes: number
  readonly parts: { readonly weights: number; readonly optimiser: number; readonly features: number; readonly activations: number; readonly working: number; readonly process: number; readonly runtime: number }
  readonly deviceBytes: number
  readonly checkpointBytes: number
  readonly machine: { readonly memoryBytes: number; readonly freeDiskBytes: number }
}
