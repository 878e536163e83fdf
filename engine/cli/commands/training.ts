import { Option, type Command } from 'commander'
import { chooseSettings, withRecipe, type RecipeFlags } from '../chosenSettings.ts'
import { classificationHeadKinds, type ClassificationHeadKind, type Estimate } from '../../contract/index.ts'
import { UsageError } from '../../errors.ts'
import { convert, estimate, finetune, type ConvertSettings, type TrainingSummary } from '../../jobs/index.ts'
import { textOf, withConversion, withTraining, type ConvertFlags, type TrainingFlags } from '../options.ts'
import { figuresInWords } from '../../report/index.ts'
import { present } from '../present.ts'

const trainingInWords = ({ updates, best, last, seconds, parameters }: TrainingSummary): string =>
  [
    `${updates} updates of ${parameters} parameters in ${(seconds / 60).toFixed(1)} min`,
    `best: ${best.path}, update ${best.update}, dev ${figuresInWords(best)}`,
    `last: ${last.path}, dev ${figuresInWords(last)}`,
  ].join('\n')

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`
const duration = (seconds: number): string => (seconds < 120 ? `${seconds.toFixed(1)} s` : seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`)

const estimateInWords = ({ device, threads, updates, secondsPerUpdate, seconds, hostBytes, parts, deviceBytes, checkpointBytes }: Estimate): string =>
  [
    `${duration(seconds.total)} in all on ${device}${device === 'cpu' ? ` (${threads} threads)` : ''}: ${updates} updates of ${secondsPerUpdate.toPrecision(3)} s (${duration(seconds.updates)}), features ${duration(seconds.features)}, evaluations ${duration(seconds.evaluations)}, checkpoints ${duration(seconds.checkpoints)}`,
    `peak memory ${gibibytes(hostBytes)}: weights ${gibibytes(parts.weights)}, gradients and moments ${gibibytes(parts.optimiser)}, features ${gibibytes(parts.features)}, activations ${gibibytes(parts.activations + parts.kept)}, programs ${gibibytes(parts.working)}, the process itself ${gibibytes(parts.process + parts.runtime)}`,
    ...(deviceBytes === 0 ? [] : [`memory of the GPU ${gibibytes(deviceBytes)}`]),
    `checkpoints on disk ${gibibytes(checkpointBytes)}`,
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

  const settingsOf = async (flags: ConvertFlags & RecipeFlags, command: Command): Promise<ConvertSettings> => {
    const { training, guidance, mixer, chosen } = await chooseSettings(command, flags, flags.guidance, true)
    return { ...flags, source: flags.source, resume: flags.resume ?? false, text: textOf(flags), training, guidance, waypoints: flags.waypointModels, mixer, chosen }
  }

  withRecipe(withConversion(program.command('convert').description('convert a transformer into a bidirectional Mamba2 model'))).action(async (flags: ConvertFlags & RecipeFlags, command: Command) => {
    const settings = await settingsOf(flags, command)
    await present(flags.json, (context) => convert(settings, context), trainingInWords)
  })

  const estimating = withRecipe(withConversion(program.command('estimate').description('time and memory that a conversion with the same flags would take, from a short rehearsal; nothing is kept')))
  estimating.options.find(({ long }) => long === '--out')!.makeOptionMandatory(false)
  estimating.action(async (flags: ConvertFlags & RecipeFlags, command: Command) => {
    const settings = await settingsOf(flags, command)
    await present(flags.json, (context) => estimate(settings, context), estimateInWords)
  })
}
