import { median } from '../engine/evaluate/index.ts'
import type { BenchResults, Contender, Measurement, Profile } from './results.ts'

const goals: Readonly<Record<string, number>> = { 'training PyTorch': 0.9, 'inference PyTorch': 1, 'inference transformers.js': 1 }
const memoryGoals: Readonly<Record<string, number>> = { 'base inference': 1, 'base training': 3.5, 'large inference': 2.6, 'large training': 9.5 }

const milliseconds = ({ runs }: Contender): number => median(runs.map((run) => run.milliseconds))
const peak = ({ runs }: Contender): number => Math.max(...runs.map(({ peakBytes }) => peakBytes)) / 1e9
const named = ({ size, task, seconds, batch }: Measurement): string =>
  task === 'training' ? `${size}, training step, ${batch} × ${seconds} s` : `${size}, inference of ${seconds} s`

type Clock = 'milliseconds' | 'processorMilliseconds'

/** Of the peer's time to ours, within each round. */
const quotients = (ours: Contender, peer: Contender, of: Clock): number[] => ours.runs.map((run, i) => peer.runs[i]![of] / run[of])

/** The median of those quotients. */
export const ratio = (ours: Contender, peer: Contender, of: Clock): number => median(quotients(ours, peer, of))

const spread = (ours: Contender, peer: Contender, of: Clock): string => {
  const all = quotients(ours, peer, of)
  return `${ratio(ours, peer, of).toFixed(2)} × (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`
}

const measurementRows = (measurement: Measurement): string[] => {
  const { contenders, gflop, matmulGflopPerSecond, batch, seconds, task, size } = measurement
  const [ours] = contenders as [Contender, ...Contender[]]
  return contenders.map((contender, i) => {
    const time = milliseconds(contender)
    const mine = contender === ours
    const goal = goals[`${task} ${contender.name}`]
    const ceiling = mine ? ` (${((100 * ((1000 * gflop) / time)) / median(matmulGflopPerSecond)).toFixed(0)} % of MatMul's ${median(matmulGflopPerSecond).toFixed(0)})` : ''
    const quotient = mine ? '' : `${spread(ours, contender, 'milliseconds')}; goal ${goal!.toFixed(1)})`
    const work = mine ? '' : `${spread(ours, contender, 'processorMilliseconds')})`
    const memory = mine ? `${peak(contender).toFixed(2)} GB (limit ${memoryGoals[`${size} ${task}`]!.toFixed(1)})` : `${peak(contender).toFixed(2)} GB`
    return `| ${i === 0 ? named(measurement) : ''} | ${contender.name} (${contender.version}) | ${time.toFixed(0)} | ${((1000 * batch * seconds) / time).toFixed(1)} | ${((1000 * gflop) / time).toFixed(0)}${ceiling} | ${quotient} | ${work} | ${memory} |`
  })
}

const profileRows = (profiles: readonly Profile[]): string[] => {
  const kinds = [...new Set(profiles.flatMap(({ kinds: of }) => Object.keys(of)))].sort()
  const share = ({ milliseconds: whole, kinds: of }: Profile, kind: string): string => `${((100 * (of[kind] ?? 0)) / whole).toFixed(1)} %`
  return [
    `| kernels of | ${profiles.map(({ size, task, processor }) => `${size}, ${task} (${processor})`).join(' | ')} |`,
    `| --- |${profiles.map(() => ' --- |').join('')}`,
    ...kinds.map((kind) => `| ${kind} | ${profiles.map((profile) => share(profile, kind)).join(' | ')} |`),
    `| all, a run | ${profiles.map((profile) => `${profile.milliseconds.toFixed(0)} ms`).join(' | ')} |`,
  ]
}

const commands = (all: readonly { size: string; task: string; command: string }[]): string[] => [...new Set(all.map(({ size, task, command }) => `- ${size}, ${task}: \`${command}\``))]

/** What was measured on one processor. */
const tableOf = (measurements: readonly Measurement[]): string[] => [
  `## ${measurements[0]!.processor}, ${measurements[0]!.threads} threads, ${[...new Set(measurements.map(({ date }) => date))].join(' and ')}`,
  '',
  '| what | by | ms | audio s/s | GFLOP/s | their time / ours | their processor time / ours | peak memory |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ...measurements.flatMap(measurementRows),
  '',
  ...commands(measurements),
  '',
]

/** docs/performance.md from the raw figures. */
export const performanceDocument = ({ measurements, profiles }: BenchResults): string => {
  const processors = [...new Set(measurements.map(({ processor }) => processor))]
  return `${[
    '# Performance',
    '<!-- Made by `npm run bench:document` from bench/results.json. -->',
    'Random weights, float32. The machines are shared ones: only what stands in one row was measured side by side. In each round every',
    'implementation runs once, a second after the one before and each in its turn the first; times are medians of the rounds after one that is not counted, ratios are medians of the quotients within a round, with the least and the greatest (above 1: we are faster),',
    'on the clock and in processor time (all threads), which other work on the machine disturbs less. GFLOP/s count matrix work once, however often it is computed. A table of an earlier day',
    'is of the code of that day; before 2026-11-30 there was no pause, and ours was always the first.',
    '',
    ...processors.flatMap((processor) => tableOf(measurements.filter((one) => one.processor === processor))),
    'A training step is one target guided update: the frozen teacher, the student with bidirectional Mamba2 mixers, CTC, layerwise and output distillation, clipping and AdamW; the',
    'frontend is frozen. PyTorch is what one would write for a CPU, with SDPA attention and the chunked matrix form of the recurrence (bench/peers/training_step.py).',
    'transformers.js runs the same model from an ONNX file in float32.',
    '',
    '## Where the time goes',
    '',
    ...(profiles.length === 0
      ? ['Not measured yet.']
      : ['Time of ONNX Runtime\'s kernels by kind; what runs outside of them (losses and the optimiser on the host, copies to and from the runtime) is not in it.', '', ...profileRows(profiles), '', ...commands(profiles)]),
  ].join('\n')}\n`
}
