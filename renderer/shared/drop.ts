import { ask, desktop } from '../bridge.ts'
import { app, go } from './app.svelte.ts'

/** Takes what was dropped on the window into the library: as data where data is shown, else as a model. */
export const takeDropped = async (event: DragEvent): Promise<void> => {
  const dropped = [...(event.dataTransfer?.files ?? [])]
  if (dropped.length === 0) return
  event.preventDefault()
  if (desktop === undefined) {
    app.say('A browser does not say where a dropped file lies: use Import instead.', { bad: true })
    return
  }
  for (const file of dropped) {
    await app.attempt(async () => {
      const path = await desktop!.pathOf(file)
      const isData = app.route[0] === 'data'
      const { id, name } = isData ? await ask('importData', { path }) : await ask('importModel', { path })
      app.say(`${name} is in the library`)
      go(isData ? 'data' : 'models', id)
    })
  }
}
