/** Everything the product can do, each as one function (settings, { signal, onEvent }) → result. Front ends only adapt these. */
export type { JobContext } from './context.ts'
export { benchmark, type Benchmark, type BenchmarkSettings } from './benchmark.ts'
export { evaluate, type Evaluation, type EvaluateSettings } from './evaluate.ts'
export { inspect, type ModelSummary } from './inspect.ts'
export { voiceNames } from '../synthesis/index.ts'
export { synthesise, type SynthesiseSettings } from './synthesise.ts'
export { convert, finetune, type ConvertSettings, type FinetuneSettings, type TrainingSummary } from './training.ts'
export { transcribe, type TranscribeSettings, type Transcript } from './transcribe.ts'
