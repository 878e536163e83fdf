import type { Command } from 'commander'
import { serve } from '../../serve/index.ts'
import { defaultStore } from '../../workbench/index.ts'
import { port as portNumber } from '../options.ts'

/** Resolves at the first SIGINT or SIGTERM. */
const untilStopped = (): Promise<void> =>
  new Promise((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve)
  })

export const addServeCommand = (program: Command): void => {
  program
    .command('serve')
    .description('the app in a browser on this machine, or through an SSH tunnel to it')
    .option('--store <folder>', 'the library: models, data, runs, comparisons', defaultStore())
    .option('--port <n>', 'port on 127.0.0.1; 0 takes a free one', portNumber, 7080)
    .action(async ({ store, port }: { store: string; port: number }) => {
      const onAddress = (address: string): void => void process.stdout.write(`${address}\n`)
      const server = await serve({ store, port, onAddress })
      process.stderr.write('Open the address above; it opens one browser, and the next is printed when it is used. Ctrl-C ends.\n')
      await untilStopped()
      await server.close()
    })
}
