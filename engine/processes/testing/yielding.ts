import { readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { yieldToOthers } from '../priority.ts'

/** A process that has threads of all kinds when it yields, starts one more, and tells the priorities of all before and after. */
const priorities = (): number[] => readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)))
await Promise.all(Array.from({ length: 8 }, () => stat('.')))
const before = priorities()
yieldToOthers()
const worker = new Worker('setTimeout(() => {}, 60_000)', { eval: true })
worker.once('online', () => process.send!({ before, after: priorities() }, () => process.exit()))
