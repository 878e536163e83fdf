#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { CaldError, UsageError } from '../errors.ts'
import { convert, evaluate, finetune, inspect, transcribe, type JobContext, type TrainingSummary } from '../jobs/index.ts'
import {
  mixerOf,
  positive,
  textOf,
  trainingOf,
  withCompute,
  withConversion,
  withText,
  withTraining,
  type ComputeFlags,
  type ConvertFlags,
  type TextFlags,
  type TrainingFlags,
} from './options.ts'
import { showProgress } from './progress.ts'

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`
const print = (text: string): boolean => process.stdout.write(`${text}\n`)

/** Runs a job with progress on standard error and its result on standard output, as JSON or in words. */
const present = async <T>(json: boolean | undefined, job: (context: JobContext) => Promise<T>, inWords: (result: T) => string): Promise<T> => {
  const abort = new AbortController()
  const stop = (): void => {
    // A second signal ends the process at once, as it would without a handler.
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
    abort.abort()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const progress = showProgress(process.stderr)
  try {
    const result = await job({ signal: abort.signal, onEvent: progress.onEvent })
    progress.end()
    print(json === true ? JSON.stringify(result) : inWords(result))
    return result
  } finally {
    progress.end()
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
  }
}

const trainingInWords = ({ updates, best, last, seconds, parameters }: TrainingSummary): string =>
  [
    `${updates} updates of ${parameters} parameters in ${(seconds / 60).toFixed(1)} min`,
    `best: ${best.path}, update ${best.update}, dev WER ${percent(best.wer)}, CER ${percent(best.cer)}`,
    `last: ${last.path}, dev WER ${percent(last.wer)}, CER ${percent(last.cer)}`,
  ].join('\n')

const program = new Command('cald')
  .description('Converts pretrained transformers into linear-time models by Cross-Architecture Layerwise Distillation.')
  .version('0.1.0')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/^error: /, 'cald: ').replaceAll('\n', ' ')}\n`) })

program
  .command('inspect')
  .description('say what a model folder holds, and check it')
  .argument('<folder>', 'an HF model folder')
  .option('--json', 'print one JSON object')
  .action(async (path: string, { json }: { json?: true }) => {
    await present(json, () => inspect(path), (summary) =>
      Object.entries(summary)
        .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
        .join('\n'),
    )
  })

withText(withCompute(program.command('evaluate').description('measure WER, CER and real-time factor of a model')))
  .requiredOption('--model <folder>', 'the model')
  .requiredOption('--data <manifest>', 'a JSONL manifest or a corpus folder')
  .option('--batch-seconds <s>', 'padded audio in one batch, in seconds', positive, 60)
  .action(async (flags: ComputeFlags & TextFlags & { model: string; data: string; batchSeconds: number }) => {
    await present(flags.json, (context) => evaluate({ ...flags, text: textOf(flags) }, context), (result) => {
      const { words } = result
      return [
        `${result.utterances} utterances, ${(result.audioSeconds / 60).toFixed(1)} min`,
        `WER ${percent(result.wer)} (${words.substitutions} substitutions, ${words.deletions} deletions, ${words.insertions} insertions of ${words.reference} words)`,
        `CER ${percent(result.cer)}`,
        `real-time factor ${result.realTimeFactor.toFixed(3)}`,
      ].join('\n')
    })
  })

withCompute(program.command('transcribe').description('transcribe recordings'))
  .requiredOption('--model <folder>', 'the model')
  .argument('<audio...>', 'WAV files')
  .action(async (recordings: string[], flags: ComputeFlags & { model: string }) => {
    const results = await present(flags.json, (context) => transcribe({ ...flags, recordings }, context), (transcripts) =>
      transcripts.flatMap((result) => ('text' in result ? [recordings.length === 1 ? result.text : `${result.recording}: ${result.text}`] : [])).join('\n'),
    )
    for (const result of results) {
      if (!('error' in result)) continue
      process.stderr.write(`cald: ${result.error}\n`)
      process.exitCode = 1
    }
  })

withTraining(program.command('finetune').description('train a transformer on CTC, from a checkpoint or from scratch'), { lr: 1e-4 })
  .option('--model <folder>', 'the checkpoint to go on from')
  .option('--config <file>', 'a config.json to start from scratch with')
  .option('--vocab <file>', 'a vocab.json for --config (default: the characters of the training transcripts)')
  .action(async (flags: TrainingFlags & { model?: string; config?: string; vocab?: string }) => {
    const { model, config, vocab } = flags
    if ((model === undefined) === (config === undefined)) throw new UsageError('expected either --model or --config')
    const start = model === undefined ? { config: config!, vocabulary: vocab } : { model }
    const training = trainingOf(flags, model !== undefined)
    await present(flags.json, (context) => finetune({ ...flags, start, resume: flags.resume === true, text: textOf(flags), training }, context), trainingInWords)
  })

withConversion(program.command('convert').description('convert a transformer into a bidirectional Mamba2 model')).action(async (flags: ConvertFlags) => {
  await present(
    flags.json,
    (context) =>
      convert(
        {
          ...flags,
          source: flags.source,
          resume: flags.resume === true,
          text: textOf(flags),
          training: trainingOf(flags, true),
          guidance: { guidance: flags.guidance, layerwiseWeight: flags.layerwiseWeight, outputWeight: flags.outputWeight },
          mixer: mixerOf(flags),
        },
        context,
      ),
    trainingInWords,
  )
})

/** What the process ends with; one line for what a user can mend, the stack for what only we can. */
const exitCodeFor = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof CaldError) {
    process.stderr.write(`cald: ${error.message}\n`)
    return error.exitCode
  }
  process.stderr.write(`cald: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 1
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeFor(error)
}
