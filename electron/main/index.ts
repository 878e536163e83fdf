/** The desktop app: one window onto the engine's host, which lives in a process of its own, as does everything that computes. */
import { app } from 'electron'
import { registerAppScheme } from './appProtocol.ts'
import { startDesktop } from './desktop.ts'

app.enableSandbox()
registerAppScheme()
if (app.requestSingleInstanceLock()) {
  app.whenReady().then(() => startDesktop()).catch((error: unknown) => {
    process.stderr.write(`cald: ${error instanceof Error ? error.message : String(error)}\n`)
    app.exit(1)
  })
} else app.quit()
