/**
 * The models: configurations, stages under HF's parameter names, flat parameter vectors, opening and saving of model folders, and
 * inference as one whole graph. `wav2vec2/` holds the family; a student is the same family with another mixer in its config.
 */
export { paddingTensors, validFramesTensor, type BatchFrames, type SpeechBatch } from './batch.ts'
export { onnxCard } from './card.ts'
export { framesOf, Inference, inferenceGraph, paddingInputs, validFramesInput, type InferenceResult } from './inference.ts'
export { normaliseWaveform, requireFloat16, wholeFile } from './wholeFile.ts'
export { initialise } from './initialise.ts'
export { viewOf, type ParameterLayout, type ParameterPlace } from './layout.ts'
export { openModel, openToRun, saveModel, type ModelFiles, type OpenedModel, type OpenedStoredModel } from './opening.ts'
export { carriedOver, createModel, layerStage, layoutOf, withHead, withLineage, type SpeechModel, type StoredModel } from './speechModel.ts'
export { checkMixer, frameCount, parseWav2Vec2Config, samplesPerFrame, studentModelType, type BiMamba2Mixer, type Wav2Vec2Config } from './wav2vec2/config.ts'
export { configWithHead, describeHead, headOf, labelSetsOf, projectorWidth, sameHead, type ClassificationHead, type Head, type LabelSet } from './wav2vec2/head.ts'
export { head } from './wav2vec2/heads.ts'
export { encoderLayer, frontend, mixerOutput, projection, type SpecAugmentMasks } from './wav2vec2/stages.ts'
