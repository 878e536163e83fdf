import { desktop } from '../bridge.ts'
import { importing } from '../texts/import.ts'
import { app } from './app.svelte.ts'

/** Paths that some file managers give a page beside the files themselves. */
const pathsIn = (transfer: DataTransfer): string[] =>
  transfer
    .getData('text/uri-list')
    .split(/\r?\n/)
    .filter((line) => line.startsWith('file://'))
    .map((line) => decodeURIComponent(new URL(line).pathname))

/** Brings what was dropped on the window into the library: as data where data is shown, else as a model. */
export const takeDropped = async (event: DragEvent): Promise<void> => {
  const transfer = event.dataTransfer
  const dropped = [...(transfer?.files ?? [])]
  if (transfer === null || (dropped.length === 0 && pathsIn(transfer).length === 0)) return
  event.preventDefault()
  const kind = app.route[0] === 'data' ? 'data' : 'model'
  const paths = pathsIn(transfer)
  if (desktop !== undefined) for (const file of dropped) await app.attempt(async () => app.import(kind, await desktop!.pathOf(file)))
  else if (paths.length > 0) for (const path of paths) app.import(kind, path)
  else app.import(kind, undefined, importing.droppedInBrowser)
}
