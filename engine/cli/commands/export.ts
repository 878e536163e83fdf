import { availableParallelism } from 'node:os'
import { Option, type Command } from 'commander'
import { exportModel, type Exported } from '../../jobs/index.ts'
import { mebibytes, percent } from '../../report/index.ts'
import { count } from '../options.ts'
import { present } from '../present.ts'

interface ExportFlags {
  model: string
  out: string
  format: 'onnx' | 'safetensors'
  float16?: true
  check: boolean
  threads: number
  json?: true
}

const inWords = ({ out, precision, bytes, agreement, card }: Exported): string =>
  [
    `${out}: ${precision}, ${mebibytes(bytes)}`,
    ...(agreement === null
      ? []
      : [`logits within ${agreement.largestDifference.toExponential(1)} of the engine's (which reach ${agreement.largestLogit.toFixed(1)}) over ${agreement.frames} frames, the same token at ${percent(agreement.sameToken)}`]),
    ...(card === null ? [] : [`card: ${card}`]),
  ].join('\n')

export const addExportCommand = (program: Command): void => {
  program
    .command('export')
    .description('write a model as one ONNX file, or as a model folder with float16 weights')
    .requiredOption('--model <folder>', 'the model')
    .requiredOption('--out <path>', 'the .onnx file, or the new folder for --format safetensors')
    .addOption(new Option('--format <name>', 'what to write').choices(['onnx', 'safetensors']).default('onnx'))
    .option('--float16', 'float16 weights; in an ONNX file matrix work runs in float16 too')
    .option('--no-check', "do not run the ONNX file beside the engine before it takes its place")
    .option('--threads <n>', 'CPU threads of that run', count, availableParallelism())
    .option('--json', 'print one JSON object on standard output and nothing else there')
    .action(async ({ float16, ...flags }: ExportFlags) => {
      await present(flags.json, (context) => exportModel({ ...flags, precision: float16 === true ? 'float16' : 'float32' }, context), inWords)
    })
}
