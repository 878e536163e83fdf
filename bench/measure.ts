import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchTaskOf, writeModels, type BenchSize } from '../engine/jobs/benchTasks.ts'
import { BenchWorker, type Ran } from '../engine/jobs/benchWorker.ts'
import { Peer, type PeerRun } from './peers/peer.ts'
import { keepMeasurement } from './results.ts'

/**
 * Ours beside its peers, in rounds: in each, every one runs once, so that what else the machine does meets them alike; the first of a round is another each time.
 * `npx tsx bench/measure.ts training|inference base|large --python PYTHON [--transformers-js FOLDER] [--rounds 5]`; PYTHON has torch, transformers, onnx
 * and onnxscript, FOLDER has node_modules/@huggingface/transformers. The figures go to bench/results.json.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string' }, 'transformers-js': { type: 'string' }, rounds: { type: 'string', default: '5' } },
})
const [task, size] = positionals as ['training' | 'inference', BenchSize]
const python = values.python
if (python === undefined || !['training', 'inference'].includes(task) || !['base', 'large'].includes(size))
  throw new Error('expected training or inference, base or large, and --python PYTHON with torch and transformers')

/** Threads of a pool may wait awake for some time after a run, in the way of the next one's. */
const pauseMilliseconds = 1000

const script = (name: string): string => fileURLToPath(new URL(`peers/${name}`, import.meta.url))
const { version: runtimeVersion } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
const [seconds, batch, threads] = [10, task === 'training' ? 2 : 1, availableParallelism()]
const folder = await mkdtemp(join(tmpdir(), 'cald-measure-'))
const contenders: { name: 'ours' | 'PyTorch' | 'transformers.js'; version: string; run: () => Promise<PeerRun>; close: () => void; runs: PeerRun[] }[] = []
try {
  const paths = await writeModels(folder, size, false)
  const { worker, opened } = await BenchWorker.open(benchTaskOf({ size, task, seconds, batch }, paths), { device: 'cpu', threads }, new AbortController().signal)
  const rates: number[] = []
  const ours = async (): Promise<PeerRun> => {
    const { matmulRate, milliseconds, processorMilliseconds, peakBytes }: Ran = await worker.run()
    rates.push(matmulRate / 1e9)
    return { milliseconds, processorMilliseconds, peakBytes }
  }
  contenders.push({ name: 'ours', version: `ONNX Runtime ${runtimeVersion}`, run: ours, close: () => worker.close(), runs: [] })
  const add = async (name: 'PyTorch' | 'transformers.js', command: string, args: readonly string[]): Promise<void> => {
    const peer = await Peer.open(command, args)
    contenders.push({ name, version: peer.version, run: () => peer.run(), close: () => peer.close(), runs: [] })
  }
  await add('PyTorch', python, [script('training_step.py'), task, size, String(seconds), String(batch), String(threads)])
  const packages = values['transformers-js']
  if (task === 'inference' && packages !== undefined) {
    const exported = join(folder, 'exported')
    const maker = await Peer.open(python, [script('export_onnx.py'), size, exported])
    maker.close()
    await add('transformers.js', process.execPath, ['--import', 'tsx', script('transformersJs.ts'), packages, exported, String(seconds), String(threads)])
  }
  for (let round = -1; round < Number(values.rounds); round++)
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + 1 + turn) % contenders.length]!
      await setTimeout(pauseMilliseconds)
      const run = await contender.run()
      if (round < 0) rates.length = 0
      else contender.runs.push(run)
      process.stderr.write(`${round < 0 ? 'first' : `round ${round + 1}`}, ${contender.name}: ${run.milliseconds.toFixed(0)} ms, ${run.processorMilliseconds.toFixed(0)} ms of processor, ${(run.peakBytes / 1e9).toFixed(2)} GB\n`)
    }
  await keepMeasurement({
    size,
    task,
    seconds,
    batch,
    threads,
    processor: cpus()[0]!.model,
    date: new Date().toISOString().slice(0, 10),
    command: `npx tsx bench/measure.ts ${task} ${size} --python PYTHON${contenders.length > 2 ? ' --transformers-js FOLDER' : ''} --rounds ${values.rounds}`,
    gflop: opened.work / 1e9,
    matmulGflopPerSecond: rates,
    contenders: contenders.map(({ name, version, runs }) => ({ name, version, runs })),
  })
} finally {
  for (const { close } of contenders) close()
  await rm(folder, { recursive: true, force: true })
}
