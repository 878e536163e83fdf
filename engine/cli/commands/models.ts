import type { Command } from 'commander'
import { evaluate, inspect, transcribe } from '../../jobs/index.ts'
import { positive, textOf, withCompute, withLabels, withText, type ComputeFlags, type LabelFlags, type TextFlags } from '../options.ts'
import { figuresInWords } from '../../report/index.ts'
import { present } from '../present.ts'

/** What one model is, hears and how well. */
export const addModelCommands = (program: Command): void => {
  program
    .command('inspect')
    .description('say what a model folder holds, and check it')
    .argument('<folder>', 'an HF model folder, or a weights file in one')
    .option('--json', 'print one JSON object')
    .action(async (path: string, { json }: { json?: true }) => {
      await present(json, () => inspect(path), (summary) =>
        Object.entries(summary)
          .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
          .join('\n'),
      )
    })

  withLabels(withText(withCompute(program.command('evaluate').description('measure WER and CER, or accuracy, and real-time factor of a model'))))
    .requiredOption('--model <folder>', 'the model')
    .requiredOption('--data <manifest>', 'a JSONL or CSV manifest, or a corpus folder')
    .option('--batch-seconds <s>', 'padded audio in one batch, in seconds', positive, 60)
    .action(async (flags: ComputeFlags & TextFlags & LabelFlags & { model: string; data: string; batchSeconds: number }) => {
      await present(flags.json, (context) => evaluate({ ...flags, text: textOf(flags) }, context), (result) => {
        const { words, labels } = result
        const counts = [
          ...(words === undefined ? [] : [`${words.substitutions} substitutions, ${words.deletions} deletions, ${words.insertions} insertions of ${words.reference} words`]),
          ...Object.entries(labels ?? {}).map(([name, { right, total }]) => `${name}: ${right} of ${total} right`),
        ]
        return [
          `${result.utterances} utterances, ${(result.audioSeconds / 60).toFixed(1)} min`,
          figuresInWords(result),
          ...counts,
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
        process.exitCode = 2
      }
    })
}
