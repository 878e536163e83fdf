import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const start = (binaries: string): { code: number | null; said: string } => {
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', join(root, 'electron/start.ts'), '--flag'], { cwd: root, env: { ...process.env, ELECTRON_OVERRIDE_DIST_PATH: binaries }, stdio: ['ignore', 'pipe', 'inherit'] })
  return { code: status, said: stdout.toString() }
}

it('opens the app with the binary where it is, and otherwise says how to get it and what to use without', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-start-'))
  const without = start(folder)
  expect(without.code).toBe(1)
  expect(without.said).toContain('npx install-electron')
  expect(without.said).toContain('npx cald serve')
  const binary = join(folder, 'electron')
  await writeFile(binary, '#!/bin/sh\necho "opened $@"\nexit 3\n')
  await chmod(binary, 0o755)
  expect(start(folder)).toEqual({ code: 3, said: 'opened . --flag\n' })
})
