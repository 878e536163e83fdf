import { normaliseAudio, readRecording } from '../audio/index.ts'
import { transcripts } from '../distill/index.ts'
import { CaldError, InterruptedError, UsageError } from '../errors.ts'
import { describeHead, headOf, Inference } from '../models/index.ts'
import { onDevice, openReadyToRun, type ComputeSettings, type JobContext } from './context.ts'

export interface TranscribeSettings extends ComputeSettings {
  readonly model: string
  readonly recordings: readonly string[]
}

/** The transcript of one recording, or why there is none. */
export type Transcript = { readonly recording: string; readonly text: string; readonly seconds: number } | { readonly recording: string; readonly error: string }

/** Transcribes recordings one by one; an unreadable one is reported in its place and the others go on. */
export const transcribe = async (settings: TranscribeSettings, { signal, onEvent }: JobContext): Promise<Transcript[]> => {
  const { model, vocabulary, audio } = await openReadyToRun(settings.model, onEvent)
  if (vocabulary === undefined) throw new UsageError(`${settings.model}: expected a model that transcribes, with a CTC head, found ${describeHead(headOf(model.config))}`)
  return onDevice(settings, async (device) => {
    const inference = new Inference(device, model)
    await inference.prepare()
    const results: Transcript[] = []
    for (const recording of settings.recordings) {
      if (signal.aborted) throw new InterruptedError(`stopped after ${results.length} of ${settings.recordings.length} recordings`)
      try {
        const samples = await readRecording(recording, audio.samplingRate)
        const data = audio.normalise ? normaliseAudio(samples) : samples
        const result = await inference.run({ data, shape: [1, data.length], lengths: Int32Array.of(data.length) })
        results.push({ recording, text: transcripts(result, vocabulary)[0]!, seconds: samples.length / audio.samplingRate })
        onEvent({ kind: 'progress', stage: 'transcribe', done: results.length, total: settings.recordings.length })
      } catch (error) {
        if (!(error instanceof CaldError) || error.exitCode !== 2) throw error
        results.push({ recording, error: error.message })
      }
    }
    return results
  })
}
