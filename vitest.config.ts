import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const shared = { testTimeout: 60_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    // ONNX Runtime brings its own threads: two test files at a time fill two cores.
    maxWorkers: 2,
    projects: [
      {
        // Electron's binary is not there, and importing its package would fetch it.
        resolve: { alias: { electron: fileURLToPath(new URL('electron/testing/electron.ts', import.meta.url)) } },
        test: {
          ...shared,
          name: 'engine',
          globalSetup: 'vitest.temporary.ts',
          include: ['engine/**/*.test.ts', 'fixtures/**/*.test.ts', 'study/**/*.test.ts', 'bench/**/*.test.ts', 'renderer/**/*.test.ts', 'electron/**/*.test.ts'],
        },
      },
      // A browser on a busy machine takes its time: what a test waits for may take ten seconds.
      { test: { ...shared, name: 'e2e', expect: { poll: { timeout: 10_000 } }, globalSetup: ['vitest.temporary.ts', 'e2e/buildApp.ts'], include: ['e2e/**/*.test.ts'] } },
    ],
  },
})
