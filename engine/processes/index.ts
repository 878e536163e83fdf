/**
 * Processes beside this one, for what may crash, take a core or need memory of its own: Node forks them, or the desktop's main process starts them on request (`desktop.ts`),
 * where Node's fork is shut off. Messages are plain data.
 */
import { fork } from 'node:child_process'
import type { Child, ChildEvents } from './child.ts'
import { desktopParent, launchOnDesktop } from './desktop.ts'

export type { Child } from './child.ts'
export { yieldToOthers } from './priority.ts'

const compiled = import.meta.url.endsWith('.js')

/** Starts a process from a module, named without its extension: the source, or what was compiled from it. */
export const launch = (module: URL, events: ChildEvents): Child => {
  const entry = new URL(`${module.href}${compiled ? '.js' : '.ts'}`)
  return desktopParent === undefined ? forked(entry, events) : launchOnDesktop(desktopParent, entry, events)
}

/**
 * What the GNU C library is told, so that memory which is freed stays in one heap: training frees and allocates gigabytes an update, and what goes back to the system comes again page by page, cleared
 * (docs/decisions/0116); and to ask for huge pages, of which there are fewer to make and to look up (0117). Other libraries pay no heed. The `cald` command starts with the same (`cli/main.ts`).
 */
export const keptMemory: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: '-1', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' }

const forked = (entry: URL, { onMessage, onEnd, heard = false, keepsMemory = false }: ChildEvents): Child => {
  // What this process was started with goes no further by itself; what a user says otherwise does.
  const own = Object.fromEntries(Object.entries(process.env).filter(([name, value]) => keptMemory[name] !== value))
  const child = fork(entry, { env: { ...own, ...(keepsMemory ? keptMemory : {}) }, execArgv: compiled ? [] : ['--import', 'tsx'], stdio: ['ignore', 'ignore', heard ? 'inherit' : 'ignore', 'ipc'] })
  child.on('message', onMessage)
  child.on('error', ({ message }) => {
    // Of a process that never started nothing else is heard.
    if (child.pid === undefined) onEnd(message)
  })
  child.once('close', (code, signal) => {
    if (child.pid !== undefined) onEnd(signal ?? `exit code ${String(code)}`)
  })
  return {
    get pid() {
      return child.pid
    },
    send: (message) => void child.send(message as object, () => undefined),
    kill: () => void child.kill('SIGKILL'),
  }
}

export interface Parent {
  readonly send: (message: unknown) => void
  readonly onMessage: (hear: (message: unknown) => void) => void
}

/** The process that started this one, and that ends it. It ends with its parent too: nobody else would see what it computes. */
export const parentProcess = (): Parent => {
  if (desktopParent !== undefined) return desktopParent
  process.once('disconnect', () => process.exit())
  return {
    send: (message) => void process.send?.(message),
    onMessage: (hear) => void process.on('message', hear),
  }
}
