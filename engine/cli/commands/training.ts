import { Option, type Command } from 'commander'
import { chooseSettings, withRecipe, type RecipeFlags } from '../chosenSettings.ts'
import { classificationHeadKinds, type ClassificationHeadKind } from '../../contract/index.ts'
import { UsageError } from '../../errors.ts'
import { convert, finetune, type TrainingSummary } from '../../jobs/index.ts'
import { textOf, withConversion, withTraining, type ConvertFlags, type TrainingFlags } from '../options.ts'
import { figuresInWords } from '../../report/index.ts'
import { present } from '../present.ts'

const trainingInWords = ({ updates, best, last, seconds, parameters }: TrainingSummary): string =>
  [
    `${updates} updates of ${parameters} parameters in ${(seconds / 60).toFixed(1)} min`,
    `best: ${best.path}, update ${best.update}, dev ${figuresInWords(best)}`,
    `last: ${last.path}, dev ${figuresInWords(last)}`,
  ].join('\n')

export const addTrainingCommands = (program: Command): void => {
  withRecipe(withTraining(program.command('finetune').description('train a transformer, to recognise or with --labels to classify, from a checkpoint or from scratch'), { lr: 1e-4 }))
    .option('--model <folder>', 'the checkpoint to go on from: a model folder, or a weights file in one')
    .option('--config <file>', 'a config.json to start from scratch with')
    .option('--vocab <file>', "a vocab.json for --config or a --model without a CTC head (default: the model's, else the characters of the training transcripts)")
    .addOption(new Option('--head <kind>', "with --labels: HF's head (one label set) or the direct one (default: HF's for one set)").choices(classificationHeadKinds))
    .action(async (flags: TrainingFlags & RecipeFlags & { head?: ClassificationHeadKind; model?: string; config?: string; vocab?: string }, command: Command) => {
      const { model, config, vocab } = flags
      if ((model === undefined) === (config === undefined)) throw new UsageError('expected either --model or --config')
      const start = model === undefined ? { config: config!, vocabulary: vocab } : { model, vocabulary: vocab }
      const { training, chosen } = await chooseSettings(command, flags, 'finetune', model !== undefined)
      await present(flags.json, (context) => finetune({ ...flags, start, resume: flags.resume ?? false, text: textOf(flags), training, chosen }, context), trainingInWords)
    })

  withRecipe(withConversion(program.command('convert').description('convert a transformer into a bidirectional Mamba2 model'))).action(async (flags: ConvertFlags & RecipeFlags, command: Command) => {
    const { training, guidance, mixer, chosen } = await chooseSettings(command, flags, flags.guidance, true)
    await present(
      flags.json,
      (context) =>
        convert(
          {
            ...flags,
            source: flags.source,
            resume: flags.resume ?? false,
            text: textOf(flags),
            training,
            guidance,
            waypoints: flags.waypointModels,
            mixer,
            chosen,
          },
          context,
        ),
      trainingInWords,
    )
  })
}
