/**
 * Files that hold models and runs: safetensors, files of torch.save, shards of either, HF folders, hashes, and the one place that writes
 * (`atomic.ts`: aside, synced, renamed). What is read here may come from strangers: nothing is executed and everything is bounded.
 */
export { LineLog, requireEmptyFolder, writeFileAtomic, writeFolderAtomic, writeNewFile } from './atomic.ts'
export { statedLicence, writeCard } from './card.ts'
export { openModelFolder, saveModelFolder, type ModelFolder } from './hfFolder.ts'
export { readJson } from './jsonFile.ts'
export { openSafetensors, TensorFile, writeSafetensors, type NamedTensor } from './safetensors.ts'
export { sha256Of, sha256OfFile } from './sha256.ts'
export { stampOf } from './bytes.ts'
export { requireFloat, type TensorSource } from './tensorSource.ts'
export { wrongField } from './wrongField.ts'
export { locateWeights, openTensors, sha256OfWeights } from './weights.ts'
