/** The built renderer as files by address, and what its page may load; for every host of the app. No native import. */
export { contentPolicy, newNonce, withNonce } from './policy.ts'
export { readStaticFiles, type StaticFile } from './staticFiles.ts'
