import { dialog, ipcMain, shell, type BrowserWindow, type IpcMainInvokeEvent, type OpenDialogOptions } from 'electron'
import { z } from 'zod'
import { channels, pickSchema, toHostSchema, type FromHost, type Pick } from '../../engine/contract/index.ts'
import type { EngineHost } from './engineHost.ts'
import { NotPickedError, type PathGrants } from './grants.ts'
import { origin } from './hardening.ts'

const dialogs: Readonly<Record<Pick, OpenDialogOptions>> = {
  model: { title: 'Import a model', buttonLabel: 'Import', properties: ['openDirectory'] },
  data: { title: 'Import data', buttonLabel: 'Import', properties: ['openFile', 'openDirectory'], filters: [{ name: 'Manifests', extensions: ['jsonl', 'csv'] }] },
  folder: { title: 'Choose a folder', buttonLabel: 'Choose', properties: ['openDirectory', 'createDirectory'] },
  recording: { title: 'Add a recording', buttonLabel: 'Add', properties: ['openFile'], filters: [{ name: 'Recordings', extensions: ['wav'] }] },
}

const path = z.string().min(1).max(4096)

export interface RequestContext {
  readonly window: () => BrowserWindow | undefined
  readonly host: EngineHost
  readonly grants: PathGrants
}

/** Answers the window's messages: only the app's own page in its main frame is heard, and arguments are parsed before anything is done with them. */
export const answerRequests = ({ window, host, grants }: RequestContext): void => {
  const handle = <A>(channel: string, schema: z.ZodType<A>, answer: (args: A) => Promise<unknown>): void =>
    ipcMain.handle(channel, async (event, args: unknown) => {
      requireOwnPage(event, window())
      return answer(schema.parse(args))
    })

  handle(channels.ask, toHostSchema, async ({ ask, request, args }): Promise<FromHost> => {
    try {
      grants.check(request, args)
    } catch (error) {
      const { name, message } = error as NotPickedError
      return { answer: ask, error: { name, message } }
    }
    const answer = await host.ask({ request, args })
    return { ...answer, answer: ask }
  })
  handle(channels.pick, pickSchema, async (what) => {
    const { filePaths } = await dialog.showOpenDialog(window()!, dialogs[what])
    const [picked] = filePaths
    if (picked === undefined) return null
    grants.add(picked)
    return picked
  })
  // The path is the preload script's, which has it from a file that was dropped: a page cannot make one up.
  handle(channels.dropped, path, (dropped) => {
    grants.add(dropped)
    return Promise.resolve(dropped)
  })
  handle(channels.reveal, path, async (shown) => {
    const answer = await host.ask({ request: 'library', args: {} })
    if (!('result' in answer) || !(grants.has(shown) || mentions(answer.result, shown))) throw new NotPickedError(`expected a path of the library, found ${shown}`)
    shell.showItemInFolder(shown)
  })
}

/** Whether a library names a path. */
const mentions = (library: unknown, path: string): boolean =>
  library === path || (typeof library === 'object' && library !== null && Object.values(library).some((part: unknown) => mentions(part, path)))

const requireOwnPage = ({ senderFrame }: IpcMainInvokeEvent, window: BrowserWindow | undefined): void => {
  if (senderFrame === null || senderFrame !== window?.webContents.mainFrame || senderFrame.origin !== origin) throw new NotPickedError(`expected the app's own page, found ${senderFrame?.origin ?? 'a page that is gone'}`)
}
