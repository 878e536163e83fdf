import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import { performanceDocument } from './document.ts'
import { gpuDocument } from './gpuDocument.ts'
import { readGpuResults } from './gpuResults.ts'
import { readBenchResults } from './results.ts'

const documents = { performance: performanceDocument(await readBenchResults()), gpu: gpuDocument(await readGpuResults()) }
for (const [name, text] of Object.entries(documents)) await writeFileAtomic(fileURLToPath(new URL(`../docs/${name}.md`, import.meta.url)), text)
