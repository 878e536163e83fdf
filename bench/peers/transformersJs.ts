import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { peakBytes } from '../../engine/jobs/peakMemory.ts'

/** The parts of transformers.js that an inference takes. */
interface TransformersJs {
  readonly env: { allowRemoteModels: boolean; localModelPath: string; version: string }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown
  readonly AutoModelForCTC: {
    readonly from_pretrained: (name: string, options: object) => Promise<(inputs: object) => Promise<{ logits: { dims: number[] } }>>
  }
}

/**
 * Inference of a Wav2Vec2ForCTC folder (export_onnx.py makes one) by transformers.js: a line of JSON when ready and one for each line read.
 * `transformersJs.ts PACKAGES FOLDER SECONDS THREADS`, PACKAGES a folder with node_modules/@huggingface/transformers.
 */
const [packages, folder, seconds, threads] = process.argv.slice(2) as [string, string, string, string]
const library = (await import(pathToFileURL(createRequire(join(packages, 'package.json')).resolve('@huggingface/transformers')).href)) as TransformersJs & { default?: TransformersJs }
const { env, Tensor, AutoModelForCTC } = library.default ?? library
env.allowRemoteModels = false
env.localModelPath = join(folder, '..')
const model = await AutoModelForCTC.from_pretrained(folder.split('/').at(-1)!, { dtype: 'fp32', session_options: { intraOpNumThreads: Number(threads), interOpNumThreads: 1 } })
const samples = Math.round(Number(seconds) * 16_000)
const noise = Float32Array.from({ length: samples }, (_, i) => 0.1 * Math.sin(i * i))

/** As its Wav2Vec2FeatureExtractor does: zero mean and unit variance, then the model. */
const run = async (): Promise<void> => {
  const mean = noise.reduce((sum, value) => sum + value, 0) / samples
  const variance = noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples
  const normal = noise.map((value) => (value - mean) / Math.sqrt(variance + 1e-7))
  const { logits } = await model({ input_values: new Tensor('float32', normal, [1, samples]) })
  if (logits.dims[0] !== 1) throw new Error('expected logits of one utterance')
}

const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
say({ ready: true, version: env.version })
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== '') throw new Error(`expected empty lines, found ${line}`)
  const [started, processor] = [performance.now(), process.cpuUsage()]
  await run()
  const { user, system } = process.cpuUsage(processor)
  say({ milliseconds: performance.now() - started, processorMilliseconds: (user + system) / 1000, peakBytes: await peakBytes() })
}
