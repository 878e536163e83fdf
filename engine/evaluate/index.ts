/** What a model's output is worth: greedy CTC decoding, word and character error rates. */
export { greedyDecode } from './greedy.ts'
export { align, charactersOf, ErrorTally, TranscriptTally, wordsOf, type AlignedPair, type Alignment, type ErrorCounts } from './wordErrors.ts'
