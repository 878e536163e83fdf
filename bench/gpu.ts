import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gradients } from '../engine/autodiff/index.ts'
import { studentFrom, TrialUpdates } from '../engine/distill/index.ts'
import { messageOf } from '../engine/errors.ts'
import { graph, input, linearAttention, sum, variable, type Graph, type Value } from '../engine/ir/index.ts'
import { benchConfig, matmulRate, mixerOf } from '../engine/jobs/benchTasks.ts'
import { createModel, frameCount, parseWav2Vec2Config, type Wav2Vec2Config } from '../engine/models/index.ts'
import { chunkedLinearAttention } from '../engine/nn/index.ts'
import { fillNormal } from '../engine/random.ts'
import { chooseDevice, float32, openDevice, type Device, type DeviceTensor, type Program } from '../engine/runtime/index.ts'
import { gpuResultsPath, keepGpuMeasurement, type GpuBenchSize, type RecurrenceFigures, type TrainingFigures } from './gpuResults.ts'
import { Peer } from './peers/peer.ts'

/**
 * A training step of Wav2Vec2-large on a GPU beside PyTorch's, and the recurrence as an operator beside its chunked form:
 * `npx tsx bench/gpu.ts [--size large|tiny] [--device webgpu|cpu] [--seconds 10] [--batch 2] [--rounds 5] [--python PYTHON [--torch-device cuda|cpu]] [--out FILE] [--no-training]`.
 * PYTHON has torch and transformers; without it ours is measured alone. The figures go to bench/gpu.json.
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'large' },
    device: { type: 'string', default: 'webgpu' },
    seconds: { type: 'string', default: '10' },
    batch: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    python: { type: 'string' },
    'torch-device': { type: 'string', default: 'cuda' },
    out: { type: 'string', default: gpuResultsPath },
    'no-training': { type: 'boolean', default: false },
  },
})
const [size, runtime] = [values.size as GpuBenchSize, values.device as 'webgpu' | 'cpu']
const [seconds, batch, rounds] = [Number(values.seconds), Number(values.batch), Number(values.rounds)]
if (!['large', 'tiny'].includes(size) || !['webgpu', 'cpu'].includes(runtime)) throw new Error(`expected --size large or tiny and --device webgpu or cpu, found ${size} and ${runtime}`)
if (![seconds, batch, rounds].every((value) => value > 0)) throw new Error('expected --seconds, --batch and --rounds above 0')

const tinyMixer = { expand: 1, dConv: 4, ngroups: 1, headdim: 8, dState: 8 } as const
/** bench/peers/training_step.py knows the same. */
const tinyConfig = (): Wav2Vec2Config =>
  parseWav2Vec2Config(
    { model_type: 'wav2vec2', hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 64, conv_dim: [8, 8], conv_kernel: [10, 4], conv_stride: [5, 4], num_conv_pos_embeddings: 8, num_conv_pos_embedding_groups: 2, vocab_size: 12, mask_time_prob: 0.05, mask_time_length: 4 },
    size,
  )
const [config, mixer] = size === 'tiny' ? [tinyConfig(), tinyMixer] : [benchConfig(size), mixerOf(size)]
const samples = Math.round(seconds * 16_000)
const frames = frameCount(config, samples)
const say = (text: string): void => void process.stderr.write(`${text}\n`)
const missing: string[] = []

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
const state = await chooseDevice(runtime)
const name = runtime === 'cpu' ? cpus()[0]!.model : (state.adapter ?? 'a GPU that the system does not name')
if (!state.float16.usable) missing.push(`float16 on ${name}: ${state.float16.reason}`)
const types: readonly ('float32' | 'float16')[] = state.float16.usable ? ['float32', 'float16'] : ['float32']
const device = openDevice(runtime, { threads: availableParallelism() })

const timed = async (run: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await run()
  return performance.now() - started
}

/** Ours, in one float type. */
const trainOurs = async (type: 'float32' | 'float16'): Promise<{ figures: TrainingFigures; work: number }> => {
  const teacher = createModel(config, 1)
  const updates = new TrialUpdates(device, { student: studentFrom(teacher, mixer, 1), teacher }, { batch, samples, precision: type })
  try {
    // The first compiles, the second finds memory as it will be.
    for (let i = 0; i < 2; i++) await updates.run()
    const before = device.bytesRead
    const milliseconds: number[] = []
    for (let i = 0; i < rounds; i++) milliseconds.push(await timed(() => updates.run()))
    say(`ours, ${type}: ${milliseconds.map((each) => each.toFixed(0)).join(', ')} ms`)
    return { figures: { name: 'ours', type, version: `ONNX Runtime ${version}`, device: name, milliseconds, deviceBytes: device.liveBytes, bytesRead: (device.bytesRead - before) / rounds }, work: updates.work() }
  } finally {
    await updates.dispose()
  }
}

const trainPyTorch = async (python: string, type: 'bfloat16' | 'float32'): Promise<TrainingFigures> => {
  const script = fileURLToPath(new URL('peers/training_step.py', import.meta.url))
  const peer = await Peer.open(python, [script, 'training', size, String(seconds), String(batch), String(availableParallelism()), values['torch-device'], type])
  try {
    for (let i = 0; i < 2; i++) await peer.run()
    const runs = []
    for (let i = 0; i < rounds; i++) runs.push(await peer.run())
    const milliseconds = runs.map((run) => run.milliseconds)
    say(`PyTorch, ${type}: ${milliseconds.map((each) => each.toFixed(0)).join(', ')} ms`)
    return { name: 'PyTorch', type, version: peer.version, device: peer.device ?? '', milliseconds, deviceBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes)) }
  } finally {
    peer.close()
  }
}

const training: TrainingFigures[] = []
let work = 0
if (!values['no-training']) {
  for (const type of types) {
    const one = await trainOurs(type)
    training.push(one.figures)
    work = one.work
  }
  if (values.python === undefined) missing.push('PyTorch, without --python PYTHON')
  else for (const type of ['bfloat16', 'float32'] as const) await trainPyTorch(values.python, type).then((figures) => training.push(figures), (error: unknown) => { missing.push(`PyTorch, ${type}: ${messageOf(error)}`); })
}

const heads = config.hidden_size / mixer.headdim
const { dState, headdim } = mixer as { dState: number; headdim: number }
type Attend = (q: Value, k: Value, v: Value, g: Value) => Value
const forms: Readonly<Record<string, Attend>> = {
  operator: (q, k, v, g) => linearAttention(q, k, v, g, { heads, groups: 1 }),
  ...Object.fromEntries((size === 'tiny' ? [4, 8] : [32, 64, 128]).map((chunk): [string, Attend] => [`chunks of ${chunk}`, (q, k, v, g) => chunkedLinearAttention(q, k, v, g, { heads, groups: 1, chunk })])),
}

/** The recurrence as a mixer runs it, or its gradients; the sum of the results comes back, to wait for them. */
const recurrenceProgram = (attend: Attend, direction: RecurrenceFigures['direction']): Graph => {
  const lead = [variable('batch'), variable('time')]
  const [q, k, v, g] = [input('q', [...lead, dState]), input('k', [...lead, dState]), input('v', [...lead, heads * headdim]), input('g', [...lead, heads])]
  const y = attend(q, k, v, g)
  if (direction === 'forward') return graph('recurrence', { y, told: sum(y, [0, 1, 2]) })
  const [dq, dk, dv, dg] = gradients([{ value: y, gradient: input('dy', y.type.shape) }], [q, k, v, g]) as [Value, Value, Value, Value]
  return graph('recurrence backward', { dq, dk, dv, dg, told: sum(dg, [0, 1, 2]) })
}

const measureRecurrence = async (type: 'float32' | 'float16', direction: RecurrenceFigures['direction'], fed: Readonly<Record<string, DeviceTensor>>): Promise<RecurrenceFigures[]> => {
  /** Runs of one measurement: a wait for the device costs as much as several. */
  const inner = size === 'tiny' ? 1 : 5
  const programs: { form: string; program: Program; milliseconds: number[]; processorMilliseconds: number[] }[] = []
  for (const [form, attend] of Object.entries(forms)) {
    const program = await device.compile(recurrenceProgram(attend, direction), type === 'float16' ? { float16: { weights: new Set() } } : {})
    programs.push({ form, program, milliseconds: [], processorMilliseconds: [] })
  }
  const run = async (program: Program): Promise<void> => {
    for (let i = 0; i < inner; i++) {
      const outputs = await program.run(Object.fromEntries(program.graph.inputs.map(({ params }) => [params.name, fed[params.name]!])))
      if (i === inner - 1) await device.read(outputs.told!)
      for (const tensor of Object.values(outputs)) tensor.dispose()
    }
  }
  for (const { program } of programs) await run(program)
  for (let round = 0; round < rounds; round++)
    for (const { program, milliseconds, processorMilliseconds } of programs) {
      const before = process.cpuUsage()
      milliseconds.push((await timed(() => run(program))) / inner)
      const { user, system } = process.cpuUsage(before)
      processorMilliseconds.push((user + system) / 1000 / inner)
    }
  for (const { program } of programs) await program.dispose()
  return programs.map(({ form, milliseconds, processorMilliseconds }) => {
    say(`recurrence ${direction}, ${type}, ${form}: ${milliseconds.map((each) => each.toFixed(2)).join(', ')} ms`)
    return { form, type, direction, milliseconds, processorMilliseconds }
  })
}

const recurrenceInputs = async (on: Device): Promise<Record<string, DeviceTensor>> => {
  const channels = { q: dState, k: dState, v: heads * headdim, g: heads, dy: heads * headdim }
  const fed: Record<string, DeviceTensor> = {}
  for (const [key, width] of Object.entries(channels)) {
    const data = new Float32Array(batch * frames * width)
    fillNormal(data, 1, 1, `recurrence ${key}`)
    // Decays are negative, and about as strong as a new mixer's.
    fed[key] = await on.upload(float32(key === 'g' ? data.map((value) => -0.1 * Math.abs(value)) : data, [batch, frames, width]))
  }
  return fed
}

const fed = await recurrenceInputs(device)
const recurrence: RecurrenceFigures[] = []
for (const type of types) for (const direction of ['forward', 'backward'] as const) recurrence.push(...(await measureRecurrence(type, direction, fed)))
for (const tensor of Object.values(fed)) tensor.dispose()
// A software adapter would take minutes for as many rows as a layer has.
const rate = await (await matmulRate(device, size === 'tiny' ? 4 : undefined))()
await device.dispose()

const python = values.python === undefined ? '' : ` --python PYTHON --torch-device ${values['torch-device']}`
await keepGpuMeasurement(
  {
    device: name,
    runtime,
    size,
    seconds,
    batch,
    frames,
    command: `npx tsx bench/gpu.ts --size ${size} --device ${runtime} --seconds ${seconds} --batch ${batch} --rounds ${rounds}${python}`,
    gflop: work / 1e9,
    matmulGflopPerSecond: rate / 1e9,
    training,
    recurrence,
    missing,
  },
  values.out,
)
for (const each of missing) say(`not measured: ${each}`)
say(`figures in ${values.out}; npm run bench:document writes docs/gpu.md`)
