import { readFile } from 'node:fs/promises'

/** The most memory that this process has held, in bytes. Linux counts in maxRSS what the parent held when it forked; /proc counts this process alone. */
export const peakBytes = async (): Promise<number> => {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS
  return Number(kilobytes) * 1024
}
