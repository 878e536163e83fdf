import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { requireEmptyFolder } from '../checkpoint/index.ts'
import type { GuidanceInput, TrainingInput } from '../contract/index.ts'
import { readCorpus } from '../datasets/index.ts'
import { readRun } from '../report/index.ts'
import { digitStrings, speakersOf, writeSyntheticCorpus, type VoiceName } from '../synthesis/index.ts'
import { benchmark, type Benchmark } from './benchmark.ts'
import { bundledModel } from './bundled.ts'
import type { ComputeSettings, JobContext } from './context.ts'
import { evaluate, type Evaluation } from './evaluate.ts'
import { inspect } from './inspect.ts'
import { writeReport } from './report.ts'
import { StepProgress } from './stepProgress.ts'
import { convert } from './training.ts'

export interface DemoSettings extends ComputeSettings {
  /** New folder for everything the demo makes. */
  readonly out: string
  /** Of each conversion. */
  readonly updates: number
  readonly seed: number
}

/** A model of the demo on the held-out strings in the held-out voice. */
export interface DemoModel {
  readonly name: string
  readonly path: string
  readonly wer: number
  readonly cer: number
  readonly parameters: number
  readonly realTimeFactor: number
}

export interface DemoResult {
  readonly updates: number
  readonly models: readonly DemoModel[]
  /** The unguided conversion at each learning rate; the one that did better on the development data stands in `models`. */
  readonly unguided: readonly { readonly learningRate: number; readonly devWer: number; readonly wer: number; readonly cer: number }[]
  readonly latency: Benchmark
  readonly report: string
  readonly student: string
  readonly seconds: number
  /** What did not come out as it should; empty when all did. */
  readonly shortfalls: readonly string[]
}

interface Conversion {
  /** The student, and the run that made it. */
  readonly path: string
  readonly run: string
  readonly devWer: number
}

const heard: readonly VoiceName[] = ['kal', 'kal16', 'awb', 'slt']
const heldOut: readonly VoiceName[] = ['rms']
const strings = { train: 240, dev: 40, test: 60 }
const durations = [10, 60, 300]
const unguidedRates = [1e-3, 3e-3]
const guidedRate = 1e-3
/** As large as a state needs to be for heads of this width; both conversions share them. */
const mixer = { expand: 1, dState: 32, dConv: 4, headdim: 32, ngroups: 1 }
const mostTeacherErrors = 0.15

const trainingSettings = (updates: number, learningRate: number, seed: number): TrainingInput => ({
  updates,
  batchSeconds: 30,
  schedule: { peak: learningRate, warmupUpdates: Math.ceil(updates / 10), decay: 'cosine', floor: learningRate / 100 },
  weightDecay: 0.005,
  clipNorm: 1,
  freezeFrontend: true,
  evaluateEvery: Math.ceil(updates / 4),
  seed,
  featureCacheBytes: 2 ** 30,
})

/**
 * The whole idea on the user's own machine: makes a small corpus, converts the bundled digits model unguided and target guided with
 * equal updates, measures all three on strings and a voice that no training saw, and writes a report.
 */
export const demo = async ({ out, updates, seed, device, threads }: DemoSettings, context: JobContext): Promise<DemoResult> => {
  const started = performance.now()
  const [teacher, source] = [bundledModel('digits'), bundledModel('source')]
  await requireEmptyFolder(out)
  await mkdir(out, { recursive: true })
  const compute = { device, threads }
  const steps = new StepProgress(context, [
    ['making speech', 40],
    ['unguided, first learning rate', 60],
    ['unguided, second learning rate', 60],
    ['target guided', 75],
    ['measuring errors', 8],
    ['measuring latency', 40],
  ])

  const data = await steps.run((within) => makeSpeech(join(out, 'data'), seed, within))
  const converted = async (name: string, guidance: GuidanceInput, learningRate: number): Promise<Conversion> => {
    const run = join(out, 'runs', name)
    const settings = { ...compute, teacher, source, guidance, mixer, train: [data.train], dev: [data.dev], out: run, resume: false }
    const result = await steps.run((within) => convert({ ...settings, text: { case: 'auto', unknown: 'error' }, training: trainingSettings(updates, learningRate, seed) }, within))
    return { path: result.best.path, run, devWer: result.best.wer! }
  }
  const none = { guidance: 'unguided', layerwiseWeight: 0, outputWeight: 0 } as const
  const unguided: (Conversion & { learningRate: number })[] = []
  for (const learningRate of unguidedRates) unguided.push({ learningRate, ...(await converted(`unguided-${learningRate}`, none, learningRate)) })
  const better = unguided.reduce((best, one) => (one.devWer < best.devWer ? one : best))
  const target = await converted('target', { guidance: 'target', layerwiseWeight: 3.75, outputWeight: 0.25 }, guidedRate)

  const measure = (model: string, within: JobContext): Promise<Evaluation> => evaluate({ ...compute, model, data: data.test, batchSeconds: 60, text: { case: 'auto', unknown: 'error' } }, within)
  const measured = await steps.run(async (within) => {
    const results = new Map<string, Evaluation>()
    for (const path of [teacher, ...unguided.map((run) => run.path), target.path]) results.set(path, await measure(path, within))
    return results
  })
  const named = [
    { name: 'teacher (transformer)', path: teacher },
    { name: 'student, unguided', path: better.path },
    { name: 'student, target guided', path: target.path },
  ]
  const models = await Promise.all(named.map(async ({ name, path }): Promise<DemoModel> => ({ name, path, ...errorsOf(measured.get(path)!), realTimeFactor: measured.get(path)!.realTimeFactor, parameters: (await inspect(path)).parameters })))
  const [recording] = await readCorpus(data.test)
  const pair = [named[0]!, named[2]!]
  const latency = await steps.run((within) => benchmark({ ...compute, models: pair.map(({ path }) => path), durations, repeats: 3, recording: recording!.audioPath }, within))

  const rates = unguided.map(({ learningRate, devWer, path }) => ({ learningRate, devWer, ...errorsOf(measured.get(path)!) }))
  const path = join(out, 'report.html')
  const withName = <T extends { model: string }>(of: readonly T[]): (T & { name: string })[] => of.map((one) => ({ ...one, name: pair.find(({ path: model }) => model === one.model)!.name }))
  await writeReport(path, {
    title: 'A transformer converted on this machine',
    summary:
      `A Wav2Vec2 that recognises digits became a bidirectional Mamba2 model in ${updates} updates, once without guidance and once guided by the transformer. ` +
      `Errors are counted on ${strings.test} strings of digits that no training saw, in a synthetic voice that no training heard.`,
    rows: models.map((model) => ({ ...model, ...(model.path === better.path ? { note: `the better of the learning rates ${unguidedRates.join(' and ')} by its development WER` } : {}) })),
    runs: await Promise.all([...unguided, target].map(({ run }) => readRun(run))),
    transcripts: named.map(({ name, path: model }) => ({ name, utterances: measured.get(model)!.transcripts })),
    latency: { points: withName(latency.points), failures: withName(latency.failures) },
  })
  const [ofTeacher, ofUnguided, ofTarget] = models.map(({ wer }) => wer) as [number, number, number]
  const shortfalls = [
    ...(ofTeacher <= mostTeacherErrors ? [] : [`expected a teacher WER of at most ${mostTeacherErrors}, found ${ofTeacher}`]),
    ...(ofTarget < ofUnguided ? [] : [`expected a target guided WER below the unguided ${ofUnguided}, found ${ofTarget}`]),
  ]
  return { updates, models, unguided: rates, latency, report: path, student: target.path, seconds: (performance.now() - started) / 1000, shortfalls }
}

/** The bundled models recognise, so both are there. */
const errorsOf = ({ wer, cer }: Evaluation): Pick<DemoModel, 'wer' | 'cer'> => ({ wer: wer!, cer: cer! })

const makeSpeech = async (out: string, seed: number, { signal, onEvent }: JobContext): Promise<Record<keyof typeof strings, string>> => {
  const splits = { train: heard, dev: heard, test: heldOut }
  const total = Object.values(strings).reduce((a, b) => a + b, 0)
  const seen = new Set<string>()
  let before = 0
  const folders: Partial<Record<keyof typeof strings, string>> = {}
  for (const split of ['train', 'dev', 'test'] as const) {
    // Drawn with some to spare, so that no string is in two splits.
    const texts = [...new Set(digitStrings(2 * strings[split], seed, `demo ${split}`))].filter((text) => !seen.has(text)).slice(0, strings[split])
    for (const text of texts) seen.add(text)
    const folder = join(out, split)
    const speakers = speakersOf(splits[split], split === 'test' ? 4 : 8, seed)
    await writeSyntheticCorpus(folder, { texts, speakers, rate: 16000, seed }, { signal, onProgress: (done) => { onEvent({ kind: 'progress', stage: 'utterances', done: before + done, total }); } })
    before += texts.length
    folders[split] = folder
  }
  return folders as Record<keyof typeof strings, string>
}

