import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['engine/**/*.test.ts', 'fixtures/**/*.test.ts', 'study/**/*.test.ts'],
    // ONNX Runtime brings its own threads: two test files at a time fill two cores.
    globalSetup: 'vitest.temporary.ts',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
})
