import { median } from '../engine/evaluate/index.ts'
import type { GpuMeasurement, RecurrenceFigures } from './gpuResults.ts'

const command = 'npx tsx bench/gpu.ts --python PYTHON --torch-device cuda'

const trainingRows = ({ training, batch, seconds, gflop }: GpuMeasurement): string[] => {
  const time = (of: { milliseconds: readonly number[] }): number => median(of.milliseconds)
  const [first] = training
  return training.map((one) => {
    const back = one.bytesRead === undefined ? '' : `${(one.bytesRead / 1e6).toFixed(2)} MB`
    return `| ${one.name} (${one.version}), ${one.type} | ${one.device} | ${time(one).toFixed(1)} | ${((1000 * batch * seconds) / time(one)).toFixed(1)} | ${(gflop / time(one)).toFixed(2)} | ${(time(first!) / time(one)).toFixed(2)} × | ${(one.deviceBytes / 1e9).toFixed(2)} GB | ${back} |`
  })
}

/** The median over the rounds of the quotient within a round. */
const quotient = (operator: RecurrenceFigures, one: RecurrenceFigures, of: 'milliseconds' | 'processorMilliseconds'): number => median(one[of].map((value, i) => operator[of][i]! / value))

const recurrenceRows = ({ recurrence }: GpuMeasurement): string[] =>
  recurrence.map((one) => {
    const operator = recurrence.find(({ form, type, direction }) => form === 'operator' && type === one.type && direction === one.direction)!
    return `| ${one.form}, ${one.type} | ${one.direction} | ${median(one.milliseconds).toFixed(2)} | ${quotient(operator, one, 'milliseconds').toFixed(2)} × | ${quotient(operator, one, 'processorMilliseconds').toFixed(2)} × |`
  })

const section = (measurement: GpuMeasurement): string[] => {
  const { device, runtime, size, seconds, batch, frames, matmulGflopPerSecond, missing } = measurement
  return [
    `## ${device}`,
    '',
    `\`${measurement.command}\`; device ${runtime}, size ${size}, ${batch} × ${seconds} s (${frames} frames). MatMul alone in float32: ${matmulGflopPerSecond.toFixed(0)} GFLOP/s.`,
    '',
    '| training step by | on | ms | audio s/s | TFLOP/s | speed | device memory | read back |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...trainingRows(measurement),
    '',
    '| recurrence | direction | ms | speed | speed in processor time |',
    '| --- | --- | --- | --- | --- |',
    ...recurrenceRows(measurement),
    '',
    ...missing.map((each) => `- Not measured: ${each}.`),
    ...(missing.length === 0 ? [] : ['']),
  ]
}

/** docs/gpu.md from the raw figures. */
export const gpuDocument = (measurements: readonly GpuMeasurement[]): string =>
  [
    '# Performance on a GPU',
    '<!-- Made by `npm run bench:document` from bench/gpu.json. -->',
    `\`${command}\` measures on the GPU that WebGPU finds and writes bench/gpu.json: target guided updates of Wav2Vec2-large on 2 × 10 s in float32 and, where the`,
    'shaders have it, float16, beside the same step in PyTorch (bench/peers/training_step.py: bfloat16 under autocast, and float32), and the recurrence of its mixers as the LinearAttention',
    'operator beside its chunked matrix form (engine/nn/chunkedAttention.ts), forward and backward. PYTHON has torch and transformers and may be left out. `--size tiny --seconds 0.1` tries the',
    'command itself anywhere; `--device cpu` measures the two forms of the recurrence, and the step, on the CPU. Times are medians, speeds of the recurrence medians of the quotients within a round; a chunked form above 1 beats the operator.',
    '',
    ...(measurements.length === 0
      ? [
          'Not measured yet: no GPU has been at hand. The command runs end to end on SwiftShader, a software adapter, at the tiny size (bench/gpu.test.ts), whose times say nothing of a GPU and are not kept.',
          '',
          'Verified without one: every program of a training step, float32 and float16, is placed on the GPU whole (engine/distill/placement.test.ts); float32 computes there what the CPU computes, and',
          'what comes back in an update is logits, a loss a layer and the norm (engine/distill/webgpu.test.ts); the float16 programs compute on the CPU what the float32 ones do (engine/distill/trainingStep.test.ts:',
          'the gradient within 1 %). Not verified: float16 on WebGPU, as SwiftShader has no float16 in its shaders; PyTorch on CUDA. A device computes a probe program in float16 before it is trained on in it.',
          '',
        ]
      : measurements.flatMap(section)),
  ].join('\n')
