import { z } from 'zod'
import type { AppRequest, FromHost, ToHost } from './app.ts'

/** What a person picks in the desktop's dialogs; only what was picked, or dropped on the window, may be named in a request. */
export const pickSchema = z.enum(['model', 'data', 'recording', 'folder'])
export type Pick = z.infer<typeof pickSchema>

/** The page's `File`, which this side of the contract need not know. */
type Dropped = object

/** What the desktop's preload script gives the page: a way for messages, and what only a desktop can do. */
export interface DesktopBridge {
  readonly ask: (message: ToHost) => Promise<FromHost>
  readonly onMessage: (hear: (message: FromHost) => void) => void
  /** Told when the engine's host ends, and when it is there again. */
  readonly onConnection: (hear: (connected: boolean) => void) => void
  /** Told of a place in the app that a menu leads to, `/models` say. */
  readonly onPlace: (hear: (place: string) => void) => void
  /** The path that a person picked; null when they did not. */
  readonly pick: (what: Pick) => Promise<string | null>
  /** The path of a file or folder that was dropped on the window. */
  readonly pathOf: (dropped: Dropped) => Promise<string>
  /** Shows a file or folder of the library where it lies. */
  readonly reveal: (path: string) => Promise<void>
}

/** Requests whose `path` a person must have picked. The library has all other paths, and a window names its entries. */
export const pickedPaths: readonly AppRequest[] = ['checkModel', 'importModel', 'exportModel', 'checkData', 'importData', 'importRecording', 'listFolder', 'moveStore']

/** What main asks of the engine's host: a window's request, or one utterance's sound. */
export type ToEngineHost = ToHost | { readonly ask: number; readonly sound: { readonly data: string; readonly utterance: number } }
