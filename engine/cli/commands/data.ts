import type { Command } from 'commander'
import { Option } from 'commander'
import { UsageError } from '../../errors.ts'
import { synthesise, voiceNames, type SynthesiseSettings } from '../../jobs/index.ts'
import { count, countOrZero } from '../options.ts'
import { present } from '../present.ts'

interface SynthesiseFlags {
  out: string
  digits?: number
  texts?: string
  voices: SynthesiseSettings['voices']
  variants: number
  rate: number
  seed: number
  json?: true
}

export const addDataCommands = (program: Command): void => {
  program
    .command('synthesise')
    .description('make a corpus of synthetic speech: WAV files and a manifest.jsonl')
    .requiredOption('--out <folder>', 'new folder for the corpus')
    .option('--digits <n>', 'speak this many strings of three to eight digits', count)
    .option('--texts <file>', 'speak the lines of this file')
    .addOption(new Option('--voices <names...>', 'voices of the synthesiser').choices(voiceNames).default([...voiceNames]))
    .option('--variants <n>', 'speakers made of each voice by changing pitch, tempo and vocal tract', count, 8)
    .option('--rate <hz>', 'sampling rate of the recordings', count, 16000)
    .option('--seed <n>', 'seed of the strings, of the speakers, and of who says what', countOrZero, 1)
    .option('--json', 'print one JSON object on standard output and nothing else there')
    .action(async ({ digits, texts, ...flags }: SynthesiseFlags) => {
      if ((digits === undefined) === (texts === undefined)) throw new UsageError('expected either --digits or --texts')
      const say = digits === undefined ? { file: texts! } : { digits }
      await present(flags.json, (context) => synthesise({ ...flags, say }, context), ({ utterances, audioSeconds, manifest }) => `${utterances} utterances, ${(audioSeconds / 60).toFixed(1)} min: ${manifest}`)
    })
}
