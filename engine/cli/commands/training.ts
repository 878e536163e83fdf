import type { Command } from 'commander'
import { UsageError } from '../../errors.ts'
import { convert, finetune, type TrainingSummary } from '../../jobs/index.ts'
import { guidanceOf, mixerOf, textOf, trainingOf, withConversion, withTraining, type ConvertFlags, type TrainingFlags } from '../options.ts'
import { percent } from '../../report/index.ts'
import { present } from '../present.ts'

const trainingInWords = ({ updates, best, last, seconds, parameters }: TrainingSummary): string =>
  [
    `${updates} updates of ${parameters} parameters in ${(seconds / 60).toFixed(1)} min`,
    `best: ${best.path}, update ${best.update}, dev WER ${percent(best.wer)}, CER ${percent(best.cer)}`,
    `last: ${last.path}, dev WER ${percent(last.wer)}, CER ${percent(last.cer)}`,
  ].join('\n')

export const addTrainingCommands = (program: Command): void => {
  withTraining(program.command('finetune').description('train a transformer on CTC, from a checkpoint or from scratch'), { lr: 1e-4 })
    .option('--model <folder>', 'the checkpoint to go on from: a model folder, or a weights file in one')
    .option('--config <file>', 'a config.json to start from scratch with')
    .option('--vocab <file>', "a vocab.json for --config or a --model without a CTC head (default: the model's, else the characters of the training transcripts)")
    .action(async (flags: TrainingFlags & { model?: string; config?: string; vocab?: string }) => {
      const { model, config, vocab } = flags
      if ((model === undefined) === (config === undefined)) throw new UsageError('expected either --model or --config')
      const start = model === undefined ? { config: config!, vocabulary: vocab } : { model, vocabulary: vocab }
      const training = trainingOf(flags, model !== undefined)
      await present(flags.json, (context) => finetune({ ...flags, start, resume: flags.resume ?? false, text: textOf(flags), training }, context), trainingInWords)
    })

  withConversion(program.command('convert').description('convert a transformer into a bidirectional Mamba2 model')).action(async (flags: ConvertFlags) => {
    await present(
      flags.json,
      (context) =>
        convert(
          {
            ...flags,
            source: flags.source,
            resume: flags.resume ?? false,
            text: textOf(flags),
            training: trainingOf(flags, true),
            guidance: guidanceOf(flags),
            waypoints: flags.waypointModels,
            mixer: mixerOf(flags),
          },
          context,
        ),
      trainingInWords,
    )
  })
}
