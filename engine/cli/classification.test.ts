import { existsSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { speakersOf, writeSyntheticCorpus } from '../synthesis/index.ts'
import { cald, openWorkshop, tinyConfig, type CommandResult, type Workshop } from './testing/command.ts'

interface Line {
  audio_filepath: string
  text: string
  speaker: string
  [field: string]: unknown
}
interface Evaluated {
  utterances: number
  accuracy: number
  accuracyOf: Record<string, number>
  labels: Record<string, { right: number; total: number }>
}
interface Trained {
  best: { accuracy: number; path: string }
  last: { accuracy: number; accuracyOf: Record<string, number> }
}

let shop: Workshop
/** Speech of three voices, its manifest, and the lines of it. */
let folder: string
let lines: Line[]
const manifestOf = async (name: string, of: readonly object[]): Promise<string> => {
  const path = join(folder, 'speech', name)
  await writeFile(path, of.map((line) => JSON.stringify(line)).join('\n'))
  return path
}

beforeAll(async () => {
  shop = await openWorkshop()
  folder = await mkdtemp(join(tmpdir(), 'cald-classes-'))
  const texts = Array.from({ length: 24 }, (_, i) => ['one two', 'three', 'four five six', 'seven eight'][i % 4]!)
  await writeSyntheticCorpus(join(folder, 'speech'), { texts, speakers: speakersOf(['kal', 'slt', 'awb'], 1, 1), rate: 16000, seed: 2 }, { signal: new AbortController().signal, onProgress: () => undefined })
  lines = (await readFile(join(folder, 'speech', 'manifest.jsonl'), 'utf8')).trim().split('\n').map((line, i) => ({ ...(JSON.parse(line) as Line), length: i % 4 === 1 ? 'short' : 'long', room: 7 }))
  await manifestOf('labelled.jsonl', lines)
  // Frames of 10 ms, so that there is something to pool over.
  await writeFile(join(folder, 'tiny.json'), JSON.stringify({ ...tinyConfig, conv_kernel: [10, 8, 2], conv_stride: [10, 8, 2], conv_dim: [16, 16, 16], classifier_proj_size: 8, mask_time_prob: 0, initializer_range: 0.2 }))
}, 120_000)

const labelled = (): string => join(folder, 'speech', 'labelled.jsonl')
const common = (out: string, steps: number, data = labelled()): string[] => [
  ...['--train', data, '--dev', labelled(), '--out', join(folder, out), '--steps', String(steps), '--batch-seconds', '30', '--evaluate-every', '20'],
  ...['--lr', '0.01', '--warmup', '5', '--dropout', '0', '--threads', '1', '--seed', '5', '--json'],
]
const ok = ({ code, stdout, stderr }: CommandResult): unknown => {
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}
const refused = ({ code, stdout, stderr }: CommandResult, ...parts: (string | RegExp)[]): void => {
  expect(code, stderr).toBe(2)
  expect(stdout).toBe('')
  const last = stderr.trim().split('\n').at(-1)!
  expect(last).toMatch(/^cald: /)
  for (const part of parts) expect(last).toMatch(part)
}
const lastLoss = async (run: string): Promise<number> => {
  const updates = (await readFile(join(folder, run, 'metrics.jsonl'), 'utf8')).split('\n').filter((line) => line.includes('"kind":"update"'))
  return (JSON.parse(updates.at(-1)!) as { crossEntropy: number }).crossEntropy
}

describe('speaker identification', () => {
  it('is learned from scratch, passed on to a guided student, and measured', { timeout: 300_000 }, async () => {
    const teacher = ok(await cald('finetune', '--config', join(folder, 'tiny.json'), '--labels', 'speaker', ...common('teacher', 120))) as Trained
    // Chance is about a third.
    expect(teacher.best.accuracy).toBeGreaterThan(0.8)
    expect(await lastLoss('teacher')).toBeLessThan(0.7)
    const config = JSON.parse(await readFile(join(teacher.best.path, 'config.json'), 'utf8')) as Record<string, unknown>
    expect(config).toMatchObject({ architectures: ['Wav2Vec2ForSequenceClassification'], id2label: { 0: 'awb-0', 1: 'kal-0', 2: 'slt-0' }, cald: { labels: { speaker: ['awb-0', 'kal-0', 'slt-0'] } } })

    const mixer = ['--headdim', '8', '--d-state', '4']
    const student = ok(await cald('convert', '--teacher', teacher.best.path, '--guidance', 'target', ...mixer, ...common('student', 60))) as Trained
    expect(student.best.accuracy).toBeGreaterThan(0.8)

    const [evaluated, renamed, inspected, compared, listed, reported, transcribed] = await Promise.all([
      cald('evaluate', '--model', student.best.path, '--data', labelled(), '--json'),
      manifestOf('renamed.jsonl', lines.map(({ speaker, ...line }) => ({ ...line, voice: speaker }))).then((data) => cald('evaluate', '--model', student.best.path, '--data', data, '--labels', 'voice', '--json')),
      cald('inspect', student.best.path, '--json'),
      cald('compare', '--models', teacher.best.path, student.best.path, '--data', labelled(), '--json'),
      cald('runs', folder, '--json'),
      cald('report', join(folder, 'teacher'), join(folder, 'student'), '--out', join(folder, 'report.html'), '--json'),
      cald('transcribe', '--model', student.best.path, shop.recording),
    ])
    const figures = ok(evaluated) as Evaluated
    expect(figures).toMatchObject({ utterances: 24, accuracy: student.best.accuracy, accuracyOf: { speaker: student.best.accuracy }, labels: { speaker: { right: Math.round(24 * student.best.accuracy), total: 24 } } })
    expect((ok(renamed) as Evaluated).accuracy).toBe(figures.accuracy)
    expect(ok(inspected)).toMatchObject({ architecture: 'cald_wav2vec2_bimamba2', head: 'a projector head for speaker (3 labels)', labels: { speaker: ['awb-0', 'kal-0', 'slt-0'] } })
    const comparison = (ok(compared) as { accuracy: { difference: number } })
    expect(comparison.accuracy.difference).toBeCloseTo(student.best.accuracy - teacher.best.accuracy, 10)
    expect((ok(listed) as { name: string; best: unknown }[]).find(({ name }) => name === 'student')!.best).toMatchObject({ accuracy: student.best.accuracy })
    ok(reported)
    expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain(`<td>${(100 * student.last.accuracy).toFixed(2)} %</td>`)
    refused(transcribed, /expected a model that transcribes, with a CTC head, found a projector head for speaker/)
    // What the student cannot be measured by, and not be compared with.
    refused(await cald('evaluate', '--model', student.best.path, '--data', await manifestOf('stranger.jsonl', lines.map((line, i) => (i === 6 ? { ...line, speaker: 'nobody' } : line)))), /stranger\.jsonl:7: speaker: expected one of the 3 labels that the model knows \(awb-0, kal-0, slt-0\), found "nobody"/)
    refused(await cald('evaluate', '--model', student.best.path, '--data', labelled(), '--labels', 'speaker,length'), /--labels: expected one field, for speaker of .*, found speaker, length/)
    refused(await cald('compare', '--models', shop.model, student.best.path, '--data', labelled(), '--unknown-characters', 'drop'), /--models: expected two models of one task, found .*WER.*accuracy/)
  })
})

describe('several label sets', () => {
  it('go on a direct head, which a CTC model gets anew and says so; a run resumes; every way of guiding takes it', { timeout: 300_000 }, async () => {
    const steps = (n: number, out: string): string[] => [...common(out, n), '--evaluate-every', '4', '--train-frontend']
    const command = ['finetune', '--model', shop.model, '--labels', 'speaker,length', ...steps(8, 'intent'), '--waypoints', '4']
    const trained = await cald(...command)
    const intent = ok(trained) as Trained
    expect(trained.stderr).toContain('has a CTC head; training starts with a new one: a direct head for speaker (3 labels) and length (2 labels)')
    expect(Object.keys(intent.last.accuracyOf)).toEqual(['speaker', 'length'])
    expect(trained.stderr).toMatch(/dev accuracy [\d.]+ % \(speaker [\d.]+ %, length [\d.]+ %\)/)
    expect((ok(await cald(...command, '--resume')) as { stateSha256: string }).stateSha256).toBe((intent as unknown as { stateSha256: string }).stateSha256)

    const mixer = ['--headdim', '8', '--d-state', '4', '--source', shop.model]
    for (const guidance of [['unguided'], ['trajectory'], ['waypoint'], ['hybrid', '--switch', '2']]) {
      const result = await cald('convert', '--teacher', join(folder, 'intent', 'last'), '--guidance', ...guidance, ...mixer, ...steps(4, `intent-${guidance[0]!}`))
      expect((ok(result) as Trained).last.accuracyOf, guidance[0]).toHaveProperty('length')
      if (guidance[0] !== 'hybrid') expect(result.stderr).toContain("has a CTC head; the conversion starts with a new one, the teacher's: a direct head")
    }
  })
})

describe('bad input ends with exit code 2, one clear line, and nothing written', () => {
  it('a label that is missing, unknown in the development data, or not asked for as it must be', { timeout: 120_000 }, async () => {
    const run = (...more: string[]): Promise<CommandResult> => cald('finetune', '--config', join(folder, 'tiny.json'), ...more)
    const without = await manifestOf('without.jsonl', lines.map(({ speaker, ...line }, i) => (i === 3 ? line : { ...line, speaker })))
    const fewer = await manifestOf('fewer.jsonl', lines.filter(({ speaker }) => speaker !== 'slt-0'))
    const [missing, unknown, twice, projector, headless, vocab] = await Promise.all([
      run('--labels', 'speaker', ...common('bad', 1, without)),
      run('--labels', 'speaker', ...common('bad', 1, fewer)),
      run('--labels', 'speaker,speaker', ...common('bad', 1)),
      run('--labels', 'speaker,length', '--head', 'projector', ...common('bad', 1)),
      run('--head', 'direct', ...common('bad', 1)),
      run('--labels', 'speaker', '--vocab', join(shop.model, 'vocab.json'), ...common('bad', 1)),
    ])
    refused(missing, /without\.jsonl:4: expected "speaker" \(--labels\), found none/)
    refused(unknown, /labelled\.jsonl:\d+: speaker: expected one of the 2 labels that the model knows \(awb-0, kal-0\), found "slt-0"/)
    refused(twice, /--labels: expected every field once, found speaker twice/)
    refused(projector, /--head projector: expected one label set/)
    refused(headless, /--head: expected with --labels/)
    refused(vocab, /--vocab/)
    refused(await cald('evaluate', '--model', shop.model, '--data', labelled(), '--labels', 'speaker'), /--labels: expected a model that classifies, found a CTC head/)
    expect(existsSync(join(folder, 'bad'))).toBe(false)
  })
})
