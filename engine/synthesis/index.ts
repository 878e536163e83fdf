/** Speech made on the machine, for demonstrations and for training where no recordings may be shipped: texts, speakers, a synthesiser, corpora. */
export { writeSyntheticCorpus, type SyntheticCorpus } from './corpus.ts'
export { speakersOf, voiceNames, type Speaker, type VoiceName } from './speakers.ts'
export { digitStrings } from './texts.ts'
