import type { Down, Up } from '../contract/index.ts'
import type { Child, ChildEvents } from './child.ts'

/** What Electron gives a utility process to talk with the main process. */
interface ParentPort {
  postMessage(message: unknown): void
  on(event: 'message', hear: (event: { data: unknown }) => void): void
}

/** The main process, as a process of the desktop app sees it. */
export interface DesktopParent {
  readonly send: (message: unknown) => void
  readonly onMessage: (hear: (message: unknown) => void) => void
  readonly tell: (message: Up) => void
  readonly children: Map<number, (message: Exclude<Down, { down: unknown }>) => void>
}

const parentOf = (port: ParentPort): DesktopParent => {
  const hearers: ((message: unknown) => void)[] = []
  const waiting: unknown[] = []
  const children: DesktopParent['children'] = new Map()
  port.on('message', ({ data }) => {
    const message = data as Down
    if ('down' in message) {
      if (hearers.length === 0) waiting.push(message.down)
      for (const hear of hearers) hear(message.down)
    } else children.get('launched' in message ? message.launched : 'from' in message ? message.from : message.ended)?.(message)
  })
  const tell = (message: Up): void => port.postMessage(message)
  return {
    tell,
    children,
    send: (message) => tell({ up: message }),
    onMessage: (hear) => {
      hearers.push(hear)
      for (const message of waiting.splice(0)) hear(message)
    },
  }
}

const { parentPort } = process as { parentPort?: ParentPort }

/** Undefined in every process but those of the desktop app. */
export const desktopParent = parentPort === undefined ? undefined : parentOf(parentPort)

let launches = 0

export const launchOnDesktop = ({ tell, children }: DesktopParent, entry: URL, { onMessage, onEnd }: ChildEvents): Child => {
  const id = launches++
  let pid: number | undefined
  children.set(id, (message) => {
    if ('launched' in message) pid = message.pid
    else if ('from' in message) onMessage(message.message)
    else {
      children.delete(id)
      onEnd(message.how)
    }
  })
  tell({ launch: id, entry: entry.href })
  return {
    get pid() {
      return pid
    },
    send: (message) => tell({ to: id, message }),
    kill: () => tell({ kill: id }),
  }
}
