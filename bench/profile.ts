import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { benchTaskOf, openTask, writeModels, type BenchSize } from '../engine/jobs/benchTasks.ts'
import { openDevice } from '../engine/runtime/index.ts'
import { keepProfile } from './results.ts'

interface ProfileEvent {
  readonly cat: string
  readonly dur: number
  readonly name: string
  readonly args?: { readonly op_name?: string; readonly output_type_shape?: unknown }
}

/** What kinds of ONNX nodes there are; anything else is elementwise. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  'matrix products': ['MatMul', 'FusedMatMul', 'Gemm'],
  convolutions: ['Conv', 'ConvTranspose', 'CausalConvWithState', 'FusedConv'],
  'linear attention': ['LinearAttention'],
  attention: ['MultiHeadAttention', 'Softmax'],
  'copies and transposes': ['Transpose', 'Slice', 'Concat', 'Pad', 'Reshape', 'Expand', 'Gather', 'GatherElements', 'Identity', 'Split', 'MemcpyToHost', 'Tile'],
  reductions: ['ReduceSum', 'ReduceMean', 'CumSum'],
  norms: ['LayerNormalization', 'SkipLayerNormalization', 'SimplifiedLayerNormalization', 'InstanceNormalization'],
}
const kindOf = (op: string): string => Object.keys(kinds).find((kind) => kinds[kind]!.includes(op)) ?? 'elementwise'

/** Where the time of a task goes, in so many runs after one that is not counted: `npx tsx bench/profile.ts training|inference|student small|base|large [repeats] [keep]`; `keep` puts the shares into bench/results.json. */
const [task = 'training', size = 'base', repeats = '2', keep] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'cald-profile-'))
try {
  const paths = await writeModels(folder, size as BenchSize, task === 'student')
  const device = openDevice('cpu', { threads: 2, profile: join(folder, 'profile-') })
  const ready = await openTask(device, benchTaskOf({ size: size as BenchSize, task: task as 'training', seconds: 10, batch: 2 }, paths))
  const times: number[] = []
  for (let i = 0; i <= Number(repeats); i++) {
    const started = performance.now()
    await ready.run()
    times.push(performance.now() - started)
  }
  await device.dispose()
  const totals = new Map<string, number>()
  const add = (key: string, microseconds: number): void => void totals.set(key, (totals.get(key) ?? 0) + microseconds / 1000 / Number(repeats))
  for (const file of await readdir(folder)) {
    if (!file.startsWith('profile-')) continue
    const program = file.replace(/^profile-(.*?)_\d.*$/, '$1')
    const events = JSON.parse(await readFile(join(folder, file), 'utf8')) as ProfileEvent[]
    const count = new Map<string, number>()
    for (const { name } of events) count.set(name, (count.get(name) ?? 0) + 1)
    const seen = new Map<string, number>()
    for (const event of events) {
      const before = seen.get(event.name) ?? 0
      seen.set(event.name, before + 1)
      // Every run does the same, so the first does the first part of it, and finds memory that nothing has touched.
      if (before < count.get(event.name)! / (Number(repeats) + 1)) continue
      if (event.name === 'model_run') add(`program ${program}`, event.dur)
      if (event.cat !== 'Node' || !event.name.endsWith('_kernel_time')) continue
      const op = event.args?.op_name ?? '?'
      for (const key of ['all', `kind ${kindOf(op)}`, `op ${op}`, `${program}: ${op} ${JSON.stringify(event.args?.output_type_shape)}`]) add(key, event.dur)
    }
  }
  console.log(`runs: ${times.map((time) => time.toFixed(0)).join(', ')} ms`)
  if (keep === 'keep') {
    const ofKinds = [...totals].flatMap(([key, milliseconds]) => (key.startsWith('kind ') ? [[key.slice('kind '.length), Math.round(10 * milliseconds) / 10] as const] : []))
    await keepProfile({ processor: cpus()[0]!.model, size: size as BenchSize, task: task as 'training', command: `npx tsx bench/profile.ts ${task} ${size} ${repeats} keep`, milliseconds: totals.get('all')!, kinds: Object.fromEntries(ofKinds) })
  }
  for (const [key, milliseconds] of [...totals].sort((a, b) => b[1] - a[1]).slice(0, 90)) console.log(milliseconds.toFixed(1).padStart(9), key)
} finally {
  await rm(folder, { recursive: true, force: true })
}
