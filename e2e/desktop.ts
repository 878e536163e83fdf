import { spawnSync } from 'node:child_process'
import { findElectron } from '../electron/binary.ts'

/** `npm run e2e:desktop`: the end-to-end tests of the app in Electron's own window, where its binary is there. */
if (findElectron() === undefined) {
  process.stdout.write("e2e:desktop: SKIPPED, because Electron's binary is not here (npx install-electron fetches it). The same tests ran in chromium if npm test did.\n")
} else {
  const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'e2e'], { stdio: 'inherit', env: { ...process.env, CALD_E2E: 'desktop' }, shell: process.platform === 'win32' })
  process.exitCode = status ?? 1
}
