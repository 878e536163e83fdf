import { subscribe } from 'node:diagnostics_channel'

/** Preloaded into a command: kills it at the n-th step of writing under a path that holds KILL_AT_PATH. */
const { KILL_AT_PATH: where = '', KILL_AT_STEP: wanted = '1' } = process.env
let count = 0
subscribe('cald:write', (message) => {
  const { path } = message as { path: string }
  if (path.includes(where) && ++count === Number(wanted)) process.kill(process.pid, 'SIGKILL')
})
