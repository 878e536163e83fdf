import { join } from 'node:path'
import { build } from 'vite'

/** Before any end-to-end test: the app's pages as the source has them now, built once for all of them. */
export default async (): Promise<void> => {
  await build({ configFile: join(import.meta.dirname, '../renderer/vite.config.ts'), logLevel: 'error' })
}
