/**
 * Files that hold models and runs: safetensors, HF folders, hashes, and the one place that writes (`atomic.ts`: aside, synced, renamed).
 */
export { LineLog, requireEmptyFolder, writeFileAtomic, writeFolderAtomic, writeNewFile } from './atomic.ts'
export { statedLicence, writeCard } from './card.ts'
export { openModelFolder, readJson, saveModelFolder, type ModelFolder } from './hfFolder.ts'
export { openSafetensors, TensorFile, writeSafetensors, type NamedTensor } from './safetensors.ts'
export { sha256Of, sha256OfFile } from './sha256.ts'
