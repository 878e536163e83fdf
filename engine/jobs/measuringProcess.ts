import { normaliseAudio, readRecording } from '../audio/index.ts'
import { transcripts } from '../distill/index.ts'
import { messageOf } from '../errors.ts'
import { repeated } from '../evaluate/index.ts'
import { Inference } from '../models/index.ts'
import { parentProcess } from '../processes/index.ts'
import { fillNormal } from '../random.ts'
import type { Measured, Measurement } from './benchmark.ts'
import { onDevice, openReadyToRun } from './context.ts'
import { peakBytes } from './peakMemory.ts'

/** Measures one model at one length of audio, for `benchmark`: a process of its own, whose peak of memory is this transcription's. */
const measure = async ({ model: path, duration, repeats, recording, ...compute }: Measurement): Promise<Measured> => {
  const { model, vocabulary, audio } = await openReadyToRun(path)
  return onDevice(compute, async (device) => {
    const heard = recording === undefined ? noise(audio.samplingRate) : await readRecording(recording, audio.samplingRate)
    const samples = repeated(heard, Math.round(duration * audio.samplingRate))
    const inference = new Inference(device, model)
    await inference.prepare()
    const latencies: number[] = []
    const idleBytes = process.memoryUsage.rss()
    for (let i = 0; i <= repeats; i++) {
      const started = performance.now()
      const data = audio.normalise ? normaliseAudio(samples) : samples
      const result = await inference.run({ data, shape: [1, data.length], lengths: Int32Array.of(data.length) })
      if (vocabulary !== undefined) transcripts(result, vocabulary)
      if (i > 0) latencies.push((performance.now() - started) / 1000)
    }
    await inference.dispose()
    return { latencies, peakBytes: await peakBytes(), idleBytes }
  })
}

const noise = (samples: number): Float32Array => {
  const out = new Float32Array(samples)
  fillNormal(out, 0.1, 1, 'benchmark')
  return out
}

const { send, onMessage } = parentProcess()
onMessage((measurement) => {
  measure(measurement as Measurement)
    .catch((error: unknown): Measured => ({ error: messageOf(error) }))
    .then(send)
    .catch((error: unknown) => {
      throw error
    })
})
