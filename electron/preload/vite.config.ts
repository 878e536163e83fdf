import { defineConfig } from 'vite'

// A sandboxed preload script is one CommonJS file that may import nothing but electron.
export default defineConfig({
  root: import.meta.dirname,
  build: { outDir: '../../dist/electron/preload', emptyOutDir: true, minify: false, lib: { entry: 'index.ts', formats: ['cjs'], fileName: () => 'index.cjs' }, rolldownOptions: { external: ['electron'] } },
})
