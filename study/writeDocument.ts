import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import { studyDocument } from './document.ts'
import { readResults } from './results.ts'

const results = await readResults()
if (results === undefined) throw new Error('study/results.json: expected results, found none (npm run study makes them)')
await writeFileAtomic(fileURLToPath(new URL('../docs/study.md', import.meta.url)), studyDocument(results))
