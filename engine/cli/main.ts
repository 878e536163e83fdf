#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1 node
import { Command, CommanderError } from 'commander'
import { CaldError } from '../errors.ts'
import { addBenchCommand } from './commands/bench.ts'
import { addComparisonCommands } from './commands/comparison.ts'
import { addDataCommands } from './commands/data.ts'
import { addExportCommand } from './commands/export.ts'
import { addModelCommands } from './commands/models.ts'
import { addRecipeCommands } from './commands/recipes.ts'
import { addServeCommand } from './commands/serve.ts'
import { addTrainingCommands } from './commands/training.ts'

const program = new Command('cald')
  .description('Converts pretrained transformers into linear-time models by Cross-Architecture Layerwise Distillation.')
  .version('0.1.0')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/^error: /, 'cald: ').replaceAll('\n', ' ')}\n`) })

addModelCommands(program)
addTrainingCommands(program)
addRecipeCommands(program)
addDataCommands(program)
addComparisonCommands(program)
addExportCommand(program)
addBenchCommand(program)
addServeCommand(program)

/** What the process ends with; one line for what a user can mend, the stack for what only we can. */
const exitCodeFor = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof CaldError) {
    process.stderr.write(`cald: ${error.message}\n`)
    return error.exitCode
  }
  process.stderr.write(`cald: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 1
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeFor(error)
}
