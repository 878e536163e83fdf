import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFileAtomic } from '../engine/checkpoint/index.ts'
import { synthesise } from '../engine/jobs/index.ts'
import { createModel, parseWav2Vec2Config, saveModel } from '../engine/models/index.ts'
import { estimateDocument, type EstimateRow } from './estimateDocument.ts'

/** `npx tsx bench/estimate.ts`: what `cald estimate` says of six conversions beside what they take; results in bench/estimates.json and docs/estimate.md. */
const root = join(import.meta.dirname, '..')
const folder = await mkdtemp(join(tmpdir(), 'cald-estimates-'))
const vocabulary = JSON.parse(await readFile(join(root, 'assets/models/digits/vocab.json'), 'utf8')) as Record<string, number>
const files = { preprocessor: { sampling_rate: 16_000, do_normalize: true }, vocabulary, tokenizer: {} }

/** A folder with a model of random weights. */
const random = async (name: string, config: Record<string, unknown>): Promise<string> => {
  const path = join(folder, name)
  await saveModel(path, createModel(parseWav2Vec2Config({ model_type: 'wav2vec2', architectures: ['Wav2Vec2ForCTC'], vocab_size: Object.keys(vocabulary).length, pad_token_id: vocabulary['<pad>'], ...config }, name), 1), files)
  return path
}
const { signal } = new AbortController()
const speech = async (digits: number, variants: number): Promise<string> => {
  const out = join(folder, `speech-${digits}`)
  await synthesise({ out, say: { digits }, voices: ['slt', 'rms'], variants, rate: 16_000, seed: 1 }, { signal, onEvent: () => undefined })
  return out
}

/** Runs the command line; its answer, its seconds, and the most memory it held. */
const cald = async (args: readonly string[]): Promise<{ answer: Record<string, unknown>; seconds: number; peakBytes: number }> => {
  const started = performance.now()
  const child = spawn(process.execPath, [join(root, 'dist/engine/cli/main.js'), ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  let peakBytes = 0
  const watch = setInterval(() => {
    readFile(`/proc/${child.pid!}/status`, 'utf8').then((status) => (peakBytes = 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? peakBytes / 1024)), () => undefined)
  }, 50)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`cald ${args.join(' ')}: exit code ${String(code)}`)
  return { answer: JSON.parse(text.trim().split('\n').at(-1)!) as Record<string, unknown>, seconds: (performance.now() - started) / 1000, peakBytes }
}

const bundled = (name: string): string => join(root, 'assets/models', name)
const [short, long] = [await speech(4, 30), await speech(12, 12)]
const medium = { hidden_size: 384, num_hidden_layers: 8, num_attention_heads: 6, intermediate_size: 1536, conv_dim: [256, 256, 256, 256, 256, 256, 256] }
const common = ['--decay', 'none', '--warmup', '2', '--lr', '1e-4', '--evaluate-every', '1000000', '--skip-non-finite', '1000']
const rows: readonly { readonly name: string; readonly updates: number; readonly args: readonly string[] }[] = [
  { name: 'bundled, target guided, batches of 20 s', updates: 80, args: ['--teacher', bundled('digits'), '--guidance', 'target', '--train', short, '--dev', short, '--batch-seconds', '20', '--headdim', '32', '--d-state', '32'] },
  { name: 'bundled, unguided, batches of 60 s of longer utterances', updates: 40, args: ['--teacher', bundled('digits'), '--source', bundled('source'), '--guidance', 'unguided', '--train', long, '--dev', short, '--batch-seconds', '60', '--headdim', '32', '--d-state', '32'] },
  { name: 'bundled, trajectory guided, two micro-batches of 15 s', updates: 40, args: ['--teacher', bundled('digits'), '--source', bundled('source'), '--guidance', 'trajectory', '--train', short, '--dev', short, '--batch-seconds', '15', '--micro-batches', '2', '--headdim', '32', '--d-state', '32'] },
  { name: '8 layers of width 384, target guided, batches of 20 s', updates: 20, args: ['--teacher', await random('medium', medium), '--guidance', 'target', '--train', long, '--dev', short, '--batch-seconds', '20'] },
  { name: '6 layers of width 768, unguided, frontend trained, batches of 10 s', updates: 8, args: ['--teacher', await random('six', { num_hidden_layers: 6 }), '--source', join(folder, 'six'), '--guidance', 'unguided', '--train', short, '--dev', short, '--batch-seconds', '10', '--train-frontend'] },
  { name: 'Wav2Vec2-base, target guided, batches of 20 s', updates: 10, args: ['--teacher', await random('base', {}), '--guidance', 'target', '--train', long, '--dev', short, '--batch-seconds', '20'] },
]

try {
  const results: EstimateRow[] = []
  for (const { name, updates, args } of rows) {
    const flags = [...args, ...common, '--steps', String(updates)]
    const out = join(folder, `run-${results.length}`)
    const before = await cald(['estimate', ...flags])
    const estimated = before.answer as unknown as { secondsPerUpdate: number; seconds: { total: number }; hostBytes: number }
    const run = await cald(['convert', ...flags, '--out', out])
    const lines = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { kind: string; audioSeconds: number; audioSecondsPerSecond: number })
    const times = lines.flatMap((line) => (line.kind === 'update' ? [line.audioSeconds / line.audioSecondsPerSecond] : []))
    results.push({
      name,
      updates,
      rehearsalSeconds: before.seconds,
      estimated: { secondsPerUpdate: estimated.secondsPerUpdate, seconds: estimated.seconds.total, bytes: estimated.hostBytes },
      measured: { secondsPerUpdate: times.slice(1).reduce((a, b) => a + b, 0) / (times.length - 1), seconds: run.answer.seconds as number, bytes: run.peakBytes },
    })
    const { estimated: e, measured: m } = results.at(-1)!
    console.log(name, JSON.stringify({ e, m }), (e.secondsPerUpdate / m.secondsPerUpdate).toFixed(2), (e.seconds / m.seconds).toFixed(2), (e.bytes / m.bytes).toFixed(2), JSON.stringify((before.answer as { parts: unknown }).parts))
  }
  await writeFileAtomic(join(root, 'bench/estimates.json'), `${JSON.stringify(results, null, 2)}\n`)
  await writeFileAtomic(join(root, 'docs/estimate.md'), estimateDocument(results))
} finally {
  await rm(folder, { recursive: true, force: true })
}
