import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'
import { licences } from './licences.ts'

export default defineConfig({
  root: import.meta.dirname,
  plugins: [svelte({ configFile: false }), licences()],
  // Its policy allows no inline data but images.
  build: { outDir: '../dist/renderer', emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
})
