import type { Precision } from '../onnx/index.ts'
import type { Wav2Vec2Config } from './wav2vec2/config.ts'

/** What a card says of a model. */
interface CardModel {
  readonly config: Wav2Vec2Config
  readonly layout: { readonly size: number }
}
interface CardFiles {
  readonly preprocessor: unknown
}

type Row = readonly [string, string]

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [])
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`
const grouped = (value: number): string => value.toLocaleString('en')
const codes = (values: readonly string[]): string => values.map((value) => `\`${value}\``).join(', ')

/** Rows about where a model came from, as far as config.json's `cald` records it. */
const originRows = ({ config }: CardModel, licence?: string): Row[] => {
  const cald = config.cald ?? {}
  const weights = (sha256: unknown): string => (text(sha256) === undefined ? '' : `, weights SHA-256 \`${text(sha256)!}\``)
  const data = texts(cald.trainingDataSha256)
  const rows: Row[] = []
  if (cald.teacherSha256 !== undefined) {
    rows.push(['converted from', `the teacher \`${text(cald.teacher) ?? 'unnamed'}\`${weights(cald.teacherSha256)}`])
    if (cald.startSha256 !== cald.teacherSha256) rows.push(['started from', `the source model${weights(cald.startSha256)}`])
    rows.push(['guidance', text(cald.guidance) ?? 'not recorded'])
  } else if (cald.sourceSha256 !== undefined) rows.push(['fine-tuned from', `\`${text(cald.source) ?? 'unnamed'}\`${weights(cald.sourceSha256)}`])
  else if (data.length > 0) rows.push(['trained from', 'random weights'])
  else rows.push(['origin', 'not recorded'])
  if (data.length > 0) rows.push(['training data, its own and its ancestors\'', `manifests of SHA-256 ${codes(data)}`])
  if (typeof cald.update === 'number') rows.push(['updates', grouped(cald.update)])
  if (typeof cald.wer === 'number' && typeof cald.cer === 'number') rows.push(['on the development data', `WER ${percent(cald.wer)}, CER ${percent(cald.cer)} (greedy decoding)`])
  if (cald.exportedFromSha256 !== undefined) rows.push(['exported from', `weights of SHA-256 \`${text(cald.exportedFromSha256)!}\``])
  const licences = texts(cald.ancestorLicences)
  rows.push(['licence', [licence ?? 'not stated', ...(licences.length === 0 ? [] : [`made from models under ${licences.join(', ')}`])].join('; ')])
  return rows
}

const useRows = ({ config }: CardModel, { preprocessor }: CardFiles): Row[] => {
  const { sampling_rate: rate = 16000, do_normalize: normalised = true } = (preprocessor ?? {}) as { sampling_rate?: number; do_normalize?: boolean }
  return [
    ['hears', `one channel at ${grouped(rate)} Hz${normalised ? ', each recording at zero mean and unit variance' : ', as recorded'}`],
    ['spells', `${config.vocab_size} tokens of vocab.json by CTC, blank ${config.pad_token_id}`],
  ]
}

const table = (rows: readonly Row[]): string => ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')

const isStudent = ({ config }: CardModel): boolean => config.mixer !== undefined

const frontMatter = (model: CardModel, licence?: string): string =>
  ['---', ...(licence === undefined ? [] : [`license: ${licence}`]), 'pipeline_tag: automatic-speech-recognition', 'tags:', '- ctc', isStudent(model) ? '- mamba2' : '- wav2vec2', '---'].join('\n')

const description = (model: CardModel): string => {
  const { config, layout } = model
  const { mixer } = config
  const body = `A speech recogniser of ${grouped(layout.size)} parameters (${config.num_hidden_layers} encoder layers of width ${config.hidden_size})`
  return mixer === undefined
    ? `# Wav2Vec2 CTC model\n\n${body} of the Wav2Vec2 family, with attention of ${config.num_attention_heads} heads.`
    : `# Bidirectional Mamba2 CTC model\n\n${body}: a Wav2Vec2 model whose attention layers were replaced by bidirectional Mamba2 mixers (head width ${mixer.headdim}, state size ${mixer.dState}) by ` +
        'Cross-Architecture Layerwise Distillation ([He & Garner, ICLR 2025](https://arxiv.org/abs/2410.06846)). The time it takes grows linearly with the length of the recording.'
}

const folderUse = (model: CardModel): string => {
  const commands = '```\ncald transcribe --model FOLDER recording.wav\ncald export --model FOLDER --out model.onnx\n```'
  if (isStudent(model)) return `${commands}\n\nThe \`transformers\` library has no class for it; the ONNX file runs in ONNX Runtime 1.30 and later.`
  const python = "```python\nfrom transformers import Wav2Vec2ForCTC, Wav2Vec2Processor\nmodel, processor = Wav2Vec2ForCTC.from_pretrained('FOLDER'), Wav2Vec2Processor.from_pretrained('FOLDER')\n```"
  return `${commands}\n\nor in Python:\n\n${python}`
}

/** The card of a model folder (Markdown): what it is, where it came from, how good it was, how to use it. */
export const folderCard = (model: CardModel, files: CardFiles, { precision, weightsSha256 }: { precision: Precision; weightsSha256: string }): string => {
  const rows = [...originRows(model), ...useRows(model, files), ['weights', `${precision}, model.safetensors, SHA-256 \`${weightsSha256}\``] as const]
  return [frontMatter(model), '', description(model), '', table(rows), '', '## Use', '', folderUse(model), ''].join('\n')
}

export interface OnnxFacts {
  /** Base name of the file. */
  readonly file: string
  readonly precision: Precision
  /** SHA-256 of the weights that it was made from. */
  readonly sourceSha256: string
  readonly normalise: boolean
  readonly opset: number
  /** What the card of the exported model states. */
  readonly licence: string | undefined
}

/** The card beside an ONNX file. */
export const onnxCard = (model: CardModel, files: CardFiles, { file, precision, sourceSha256, normalise, opset, licence }: OnnxFacts): string => {
  const rows: Row[] = [
    ...originRows(model, licence),
    ...useRows(model, files),
    ['exported from', `weights of SHA-256 \`${sourceSha256}\``],
    ['precision', precision === 'float32' ? precision : 'float16 for weights and matrix work, float32 for long sums and the recurrence; inputs and outputs are float32'],
    ['operators', isStudent(model) ? `ONNX opset ${opset} and com.microsoft: ONNX Runtime 1.30 or later` : `ONNX opset ${opset}`],
  ]
  const python = [
    '```python',
    'import numpy as np, onnxruntime',
    `session = onnxruntime.InferenceSession('${file}')`,
    '# recordings: one-dimensional float32 arrays; padded to the longest with any value',
    'lengths = np.array([len(x) for x in recordings], dtype=np.int64)',
    'batch = np.stack([np.pad(x, (0, lengths.max() - len(x))) for x in recordings])',
    "logits, frames = session.run(['logits', 'frame_lengths'], {'input_values': batch, 'lengths': lengths})",
    '# logits[b, :frames[b]] belongs to recording b; the vocabulary is in session.get_modelmeta().custom_metadata_map',
    '```',
  ].join('\n')
  const inputs = [
    `- \`input_values\` float32 [batch, samples]: ${normalise ? 'samples as recorded, the file normalises them itself (normalised ones stay as they are)' : 'samples as recorded'}`,
    '- `lengths` int64 [batch]: samples of each row that are speech; what lies behind them changes nothing',
    `- \`logits\` float32 [batch, frames, ${model.config.vocab_size}], \`frame_lengths\` int64 [batch]: rows past a recording's frame length mean nothing`,
  ].join('\n')
  return [frontMatter(model, licence), '', `${description(model)} This is the whole model in one ONNX file.`, '', table(rows), '', '## Use', '', inputs, '', python, ''].join('\n')
}
