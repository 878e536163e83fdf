export type Enqueue = <T>(job: () => Promise<T>) => Promise<T>

/** Runs jobs one after the other, whatever becomes of each. */
export const serialQueue = (): Enqueue => {
  let last: Promise<unknown> = Promise.resolve()
  return (job) => {
    const result = last.then(job, job)
    last = result.catch(() => undefined)
    return result
  }
}
