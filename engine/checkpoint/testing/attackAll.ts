/** Reads every attack in a process of its own and prints, as JSON, what became of each, its time, and the most memory the process held. */
import { readFileSync } from 'node:fs'
import { messageOf } from '../../errors.ts'
import { attacks } from './attacks.ts'
import { readWhole } from './subjects.ts'

const results = []
for (const { name, kind, bytes } of attacks) {
  const file = bytes()
  const started = performance.now()
  const error: unknown = await readWhole(kind, file).then(() => undefined, (thrown: unknown) => thrown)
  results.push({ name, seconds: (performance.now() - started) / 1000, error: error instanceof Error ? error.name : null, message: error === undefined ? 'opened' : messageOf(error) })
}
const peakBytes = 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? process.resourceUsage().maxRSS)
process.stdout.write(JSON.stringify({ results, peakBytes }))
