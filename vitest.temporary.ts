import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Every test's temporary folders lie in one that is removed at the end. */
export default (): (() => void) => {
  const folder = mkdtempSync(join(tmpdir(), 'cald-tests-'))
  process.env.TMPDIR = folder
  return () => { rmSync(folder, { recursive: true, force: true }); }
}
