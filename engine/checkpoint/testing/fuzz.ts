/**
 * `npm run fuzz -- [--count N] [--seed S] [--from M]`: reads N mutations of real checkpoints. Every one must open or end in a CheckpointError
 * within a second. Mutation M of seed S is the same on every machine: a long run goes on with --from, a finding is met again with --count 1.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { hammer } from './hammer.ts'
import { subjects } from './subjects.ts'

const { values } = parseArgs({ options: { count: { type: 'string', default: '200000' }, seed: { type: 'string', default: '1' }, from: { type: 'string', default: '0' } } })
const [count, seed, from] = [Number(values.count), Number(values.seed), Number(values.from)]
if (![count, seed, from].every((value) => Number.isSafeInteger(value) && value >= 0)) throw new Error('expected whole numbers of 0 or more for --count, --seed and --from')

/** The most memory that this process held, in MB. */
const peak = (): number => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024

const all = await subjects()
const before = peak()
const started = performance.now()
const result = await hammer(all, seed, from, count, (done) => {
  if (done % 20_000 === 0) process.stderr.write(`${done} of ${count}\n`)
})
const seconds = (performance.now() - started) / 1000
const kinds = (['safetensors', 'pickle', 'zip'] as const).map((kind) => `${all.filter((subject) => subject.kind === kind).length} ${kind}`).join(', ')
console.log(`${count} mutations (seed ${seed}, from ${from}) of ${kinds} in ${seconds.toFixed(0)} s`)
console.log(`${result.opened} opened, ${count - result.opened - result.failures.length} refused by name in ${result.messages.size} ways, slowest ${(1000 * result.slowestSeconds).toFixed(0)} ms, memory ${before.toFixed(0)} MB before, ${peak().toFixed(0)} MB at its peak`)
for (const failure of result.failures.slice(0, 20)) console.log(failure)
process.exitCode = result.failures.length === 0 ? 0 : 1
