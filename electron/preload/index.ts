/** The only code beside the page that may talk with the app: a transport, which gives the page neither Node nor Electron. */
import { contextBridge, ipcRenderer, webUtils } from 'electron'
import { channels } from '../../engine/contract/channels.ts'
import type { DesktopBridge, FromHost } from '../../engine/contract/index.ts'

const on = (channel: string, hear: (message: never) => void): void => void ipcRenderer.on(channel, (_, message) => hear(message as never))

const bridge: DesktopBridge = {
  ask: ({ ask, request, args }) => ipcRenderer.invoke(channels.ask, { ask, request, args }) as Promise<FromHost>,
  onMessage: (hear) => on(channels.message, hear),
  onConnection: (hear) => on(channels.connection, hear),
  onPlace: (hear) => on(channels.place, hear),
  pick: (what) => ipcRenderer.invoke(channels.pick, what) as Promise<string | null>,
  pathOf: (dropped) => ipcRenderer.invoke(channels.dropped, webUtils.getPathForFile(dropped as Parameters<typeof webUtils.getPathForFile>[0])) as Promise<string>,
  reveal: (path) => ipcRenderer.invoke(channels.reveal, path) as Promise<void>,
}

contextBridge.exposeInMainWorld('desktop', bridge)
