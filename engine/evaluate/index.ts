/** What a model's output is worth, and what it costs: greedy CTC decoding, word and character error rates, accuracy, latency and memory. */
export { AccuracyTally, largest } from './accuracy.ts'
export { median, repeated, type LatencyFailure, type LatencyPoint } from './benchmark.ts'
export { pairedBootstrap, type PairedDifference, type PairedErrors } from './bootstrap.ts'
export { columnsOf, columnsOfPair } from './columns.ts'
export { decidingFigure, figureKinds, figureNames, figuresOf, isBetter, taskLossOf, type FigureName } from './figures.ts'
export { greedyDecode, greedyDecodeWithFrames } from './greedy.ts'
export { align, charactersOf, ErrorTally, TranscriptTally, wordsOf, type AlignedPair, type Alignment, type ErrorCounts } from './wordErrors.ts'
