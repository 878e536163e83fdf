/** From files to samples: WAV decoding, mixing down, resampling, and the normalisation that a model's preprocessor asks for. */
export { throughChannel } from './channel.ts'
export { encodeWav } from './encodeWav.ts'
export { normaliseAudio, parsePreprocessor, type Preprocessor } from './preprocessor.ts'
export { readRecording, recordingSeconds, type Stretch } from './recording.ts'
export { resample } from './resample.ts'
export { decodeWav, type DecodedWav } from './wav.ts'
