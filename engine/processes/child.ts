/** A process that this one started. */
export interface Child {
  /** Unknown until the process has started. */
  readonly pid: number | undefined
  readonly send: (message: unknown) => void
  readonly kill: () => void
}

export interface ChildEvents {
  readonly onMessage: (message: unknown) => void
  /** How it ended: a signal or an exit code, in words. Called once, after its last message. */
  readonly onEnd: (how: string) => void
  /** Whether what it writes to standard error is shown. */
  readonly heard?: boolean
  /** Whether memory that it frees stays with it, for what it allocates next: for one that computes, and ends when it has. */
  readonly keepsMemory?: boolean
}
