import type { AppAnswers, AppArguments, AppEvent, AppRequest, DesktopBridge, FromHost, ToHost } from '../engine/contract/index.ts'

declare global {
  interface Window {
    /** There in the desktop app. */
    readonly desktop?: DesktopBridge
  }
}

/** What only the desktop can do; undefined in a browser. */
export const desktop = window.desktop

/** The way to the engine: requests that are answered, events that come unasked, through the desktop or over one socket that is opened again when it closes. */
interface Waiting {
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

const waiting = new Map<number, Waiting>()
const watchers = new Set<(event: AppEvent) => void>()
const stateWatchers = new Set<(connected: boolean) => void>()
let next = 0
let socket: Promise<WebSocket> | undefined
const retryAfter = 1000

const open = (): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const opened = new WebSocket(`ws://${location.host}/socket`)
    opened.onopen = () => {
      stateWatchers.forEach((watcher) => watcher(true))
      resolve(opened)
    }
    opened.onmessage = ({ data }) => hear(JSON.parse(data as string) as FromHost)
    opened.onclose = () => {
      socket = undefined
      const lost = new Error('The connection to the engine closed. It is tried again every second; runs go on meanwhile.')
      reject(lost)
      for (const { reject: rejectOne } of waiting.values()) rejectOne(lost)
      waiting.clear()
      stateWatchers.forEach((watcher) => watcher(false))
      setTimeout(() => void connect().catch(() => undefined), retryAfter)
    }
  })

const connect = (): Promise<WebSocket> => (socket ??= open())

const hear = (message: FromHost): void => {
  if ('event' in message) {
    for (const watcher of watchers) watcher(message.event)
    return
  }
  const asker = waiting.get(message.answer)
  waiting.delete(message.answer)
  if ('error' in message) asker?.reject(Object.assign(new Error(message.error.message), { name: message.error.name }))
  else asker?.resolve(message.result as never)
}

const send = async (message: ToHost): Promise<void> => {
  if (desktop === undefined) (await connect()).send(JSON.stringify(message))
  else hear(await desktop.ask(message))
}

desktop?.onMessage(hear)
desktop?.onConnection((connected) => stateWatchers.forEach((watcher) => watcher(connected)))

/** Asks the engine; rejects with what it threw. */
export const ask = <R extends AppRequest>(request: R, args: AppArguments<R>): Promise<AppAnswers[R]> =>
  new Promise((resolve, reject) => {
    const id = next++
    waiting.set(id, { resolve, reject })
    send({ ask: id, request, args }).catch((error: unknown) => {
      waiting.delete(id)
      reject(error instanceof Error ? error : new Error(String(error)))
    })
  })

export const onEngineEvent = (watcher: (event: AppEvent) => void): (() => void) => {
  watchers.add(watcher)
  return () => void watchers.delete(watcher)
}

/** Told when the way to the engine opens and when it closes. */
export const onConnection = (watcher: (connected: boolean) => void): void => void stateWatchers.add(watcher)

/** One utterance as sound; revoke the address when it is no longer played. */
export const soundOf = async (data: string, utterance: number): Promise<string> => {
  const answer = await fetch(`/audio/${data}/${utterance}`)
  if (!answer.ok) throw new Error((await answer.text()).trim())
  return URL.createObjectURL(await answer.blob())
}
