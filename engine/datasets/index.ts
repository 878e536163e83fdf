/** Corpora: manifests, transcripts as CTC labels, utterances' labels, length-bucketed batches in a reproducible order, and loading ahead of compute. */
export { batchStream, epochBatches, sortedBatches, unequal, type BatchOptions } from './batching.ts'
export { BatchLoader } from './batchLoader.ts'
export { labelNumbers, labelSetsIn } from './labels.ts'
export { loadBatch, loadUtterance, type AudioBatch, type LoadOptions } from './loader.ts'
export { checkRecordings, isCorpusFolder, manifestHashes, readCorpus, requireTexts } from './manifest.ts'
export { type Utterance } from './utterance.ts'
export { requireFit, Vocabulary } from './vocabulary.ts'
export { atSpeeds, throughChannels } from './augmentation.ts'
