import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline/promises'
import { findElectron } from './binary.ts'

/** `npm start`: the built app in its own window, or in a browser where Electron's binary is not there. */
const binary = findElectron()

const agreed = async (question: string): Promise<boolean> => {
  if (!process.stdin.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(question)
  terminal.close()
  return !/^\s*n/i.test(answer)
}

const run = (program: string, args: readonly string[]): void => {
  process.exitCode = spawnSync(program, args, { stdio: 'inherit' }).status ?? 1
}

if (binary !== undefined) run(binary, ['.', ...process.argv.slice(2)])
else {
  process.stdout.write("The app's own window needs Electron's binary, which is not here: `npx install-electron` fetches it (over 100 MB, once).\nWithout it the same app opens in a browser: `npx cald serve`.\n")
  if (await agreed('Start that now? [Y/n] ')) run(process.execPath, ['dist/engine/cli/main.js', 'serve'])
  else process.exitCode = 1
}
