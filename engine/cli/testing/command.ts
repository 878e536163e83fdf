import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wav } from '../../audio/testing/wav.ts'
import { createModel, parseWav2Vec2Config, saveModel, type SpeechModel } from '../../models/index.ts'

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const entry = new URL('../main.ts', import.meta.url).pathname

interface StartOptions {
  /** Modules to import before the command. */
  readonly preload?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Starts `cald` from source. */
export const start = (args: readonly string[], { preload = [], env = {} }: StartOptions = {}): { child: ChildProcess; ended: Promise<CommandResult> } => {
  const imports = ['tsx', ...preload].flatMap((module) => ['--import', module])
  const child = spawn(process.execPath, [...imports, entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  return { child, ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr }))) }
}

export const cald = (...args: string[]): Promise<CommandResult> => start(args).ended

export const tinyConfig = {
  model_type: 'wav2vec2',
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  feat_extract_norm: 'layer',
  do_stable_layer_norm: true,
  conv_dim: [8, 8, 8],
  conv_kernel: [10, 8, 4],
  conv_stride: [10, 8, 4],
  num_conv_pos_embeddings: 8,
  num_conv_pos_embedding_groups: 2,
  mask_time_prob: 0.1,
  mask_time_length: 3,
}

const vocabulary = { '<pad>': 0, '<s>': 1, '</s>': 2, '<unk>': 3, '|': 4, A: 5, B: 6, C: 7 }

export interface Workshop {
  readonly folder: string
  readonly manifest: string
  readonly config: string
  /** A model folder with random weights. */
  readonly model: string
  readonly weights: SpeechModel
  readonly recording: string
}

/** A temporary folder with a small synthetic corpus, a configuration and a model. */
export const openWorkshop = async (): Promise<Workshop> => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-cli-'))
  const texts = ['A B', 'C AB', 'BA', 'ABC', 'C', 'CA B', 'AAB', 'B C']
  const lines = await Promise.all(
    texts.map(async (text, i) => {
      await writeFile(join(folder, `${i}.wav`), wav(0.5 + 0.07 * i, 200 + 60 * i))
      return JSON.stringify({ audio_filepath: `${i}.wav`, text })
    }),
  )
  const [manifest, config, model] = [join(folder, 'manifest.jsonl'), join(folder, 'tiny.json'), join(folder, 'model')]
  await writeFile(manifest, lines.join('\n'))
  await writeFile(config, JSON.stringify(tinyConfig))
  const weights = createModel(parseWav2Vec2Config({ ...tinyConfig, vocab_size: 8 }, 'tiny'), 3)
  await saveModel(model, weights, { preprocessor: { sampling_rate: 16000, do_normalize: true }, vocabulary, tokenizer: {} })
  return { folder, manifest, config, model, weights, recording: join(folder, '0.wav') }
}
