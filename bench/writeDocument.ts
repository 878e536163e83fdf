import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import { performanceDocument } from './document.ts'
import { readBenchResults } from './results.ts'

await writeFileAtomic(fileURLToPath(new URL('../docs/performance.md', import.meta.url)), performanceDocument(await readBenchResults()))
