import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findChromium } from './findChromium.ts'

/** Before npm test: a chromium for the end-to-end tests, from Debian's packages where there is none. */
const install = (): void => {
  const manually = 'the end-to-end tests need chromium: install it (sudo apt-get install chromium), or set CHROMIUM to its path'
  if (!existsSync('/usr/bin/apt-get')) throw new Error(manually)
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const run = (...command: string[]): boolean => {
    const [program, ...rest] = [...asRoot, ...command] as [string, ...string[]]
    return spawnSync(program, rest, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }).status === 0
  }
  // A failing mirror of something else must not keep chromium away: the install decides.
  run('apt-get', 'update')
  if (!run('apt-get', 'install', '-y', '--no-install-recommends', 'chromium', 'fonts-liberation') || findChromium() === undefined) throw new Error(manually)
}

try {
  if (findChromium() === undefined) install()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
