import { afterAll, describe, expect, it } from 'vitest'
import { readFixture, type FixtureTensor } from '../../fixtures/read.ts'
import { viewOf } from '../models/index.ts'
import { openDevice, type Device } from '../runtime/index.ts'
import { useSwiftShader } from '../runtime/testing/swiftShader.ts'
import { openGradient } from './learning/index.ts'
import { AdamW } from './optimiser/adamw.ts'
import { clipScale, gradientNorm } from './optimiser/clip.ts'
import { accumulateGradient, normalisersOf, type LossParts, type TrainingBatch } from './objective.ts'
import { recognitionObjective } from './objectives/index.ts'
import { forwardPass } from './passes.ts'
import { StageRunner } from './runner.ts'
import { modelOf, norm, type Tensors } from './testing/storedModel.ts'

interface StepCase {
  name: string
  same?: string
  config: Record<string, unknown>
  studentConfig?: Record<string, unknown>
  weights: Tensors & { teacher: Tensors; student: Tensors }
  input_values: FixtureTensor
  lengths: number[]
  frameLengths: number[]
  targets: number[][]
  alpha?: number
  beta?: number
  dropoutMasks: Record<string, FixtureTensor<Uint8Array<ArrayBuffer>>>
  timeMask: FixtureTensor<Uint8Array<ArrayBuffer>>
  featureMask?: FixtureTensor<Uint8Array<ArrayBuffer>>
  losses: { ctc: number; total: number; characters: number; frames?: number; alignment?: number[]; layerwise?: number; output?: number }
  logits: FixtureTensor
  gradients: Tensors
  zeroGradient: { name: string; reason: string }[]
  learningRates: number[]
  weightDecay: number
  decayed: string[]
  gradientNorms: number[]
  weightsAfter: Tensors
}

const cases = readFixture<StepCase>('training_step')
const caseOf = (name: string): StepCase => {
  const found = cases.find((one) => one.name === name)!
  return found.same === undefined ? found : { ...cases.find((one) => one.name === found.same)!, ...found }
}

const noAdapter = useSwiftShader()
if (noAdapter !== undefined) console.log(`device webgpu is skipped: ${noAdapter}`)
const cpu = openDevice('cpu', { threads: 2 })
const webgpu = openDevice('webgpu')
afterAll(async () => {
  await cpu.dispose()
  await webgpu.dispose()
})

/** Some rows of a batch, padded as they were. */
const rowsOf = (batch: TrainingBatch, rows: readonly number[]): TrainingBatch => {
  const pick = <T extends Float32Array | Uint8Array>(data: T): T => {
    const width = data.length / batch.batch
    const out = data.slice(0, rows.length * width) as T
    rows.forEach((row, i) => { out.set(data.subarray(row * width, (row + 1) * width), i * width); })
    return out
  }
  const lengths = (of: Int32Array): Int32Array => Int32Array.from(rows, (row) => of[row]!)
  return {
    ...batch,
    batch: rows.length,
    lengths: lengths(batch.lengths),
    audio: { data: pick(batch.audio!.data), shape: [rows.length, batch.audio!.shape[1]!], lengths: lengths(batch.audio!.lengths) },
    targets: rows.map((row) => batch.targets[row]!),
    spans: { time: pick(batch.spans.time!), feature: batch.spans.feature === undefined ? undefined : pick(batch.spans.feature) },
    masks: (site, shape, probability) => pick(batch.masks(site, [batch.batch, ...shape.slice(1)], probability)),
  }
}

/** The step of a case with its stored masks, ready to run as often as wanted; checks that every mask is used. */
const prepare = (step: StepCase, keep = Infinity, device: Device = cpu, { precision, scale = 1 }: { precision?: 'float16'; scale?: number } = {}) => {
  const guided = step.studentConfig !== undefined
  const model = guided ? modelOf(step.studentConfig!, step.weights.student) : modelOf(step.config, step.weights)
  const options = { timeMask: true, featureMask: step.featureMask !== undefined, frontendTrained: true, precision }
  const student = new StageRunner(device, model, { ...options, training: true })
  const teacher = guided
    ? {
        runner: new StageRunner(device, modelOf(step.config, step.weights.teacher), { ...options, training: false }),
        weights: { layerwiseWeight: step.alpha!, outputWeight: step.beta! },
      }
    : undefined
  const used = new Set<string>()
  const batch: TrainingBatch = {
    batch: step.frameLengths.length,
    frames: step.timeMask.shape[1]!,
    lengths: Int32Array.from(step.frameLengths),
    audio: { data: step.input_values.data, shape: step.input_values.shape, lengths: Int32Array.from(step.lengths) },
    features: undefined,
    targets: step.targets.map((target) => Int32Array.from(target)),
    objective: recognitionObjective(0),
    spans: { time: step.timeMask.data, feature: step.featureMask?.data },
    masks: (site, shape) => {
      used.add(site)
      expect(step.dropoutMasks[site]!.shape, site).toEqual([...shape])
      return step.dropoutMasks[site]!.data
    },
  }
  /** Losses and gradient of the batch, as one micro-batch or as several of the given rows. */
  const run = async (rows: readonly (readonly number[])[] = [batch.targets.map((_, row) => row)]): Promise<{ parts: LossParts[]; gradient: Float32Array }> => {
    const gradient = openGradient(device, model.layout)
    gradient.scale = scale
    const microBatches = rows.map((some) => rowsOf(batch, some))
    const normalisers = normalisersOf(microBatches)
    const parts: LossParts[] = []
    for (const microBatch of microBatches) {
      const heard = teacher === undefined ? undefined : await teacher.runner.frontend(microBatch.audio!)
      const lesson = teacher === undefined ? undefined : { pass: await forwardPass(device, teacher.runner, heard!, microBatch), ...teacher.weights }
      const pass = await forwardPass(device, student, await student.frontend(microBatch.audio!), microBatch, { keep })
      parts.push(await accumulateGradient(student, pass, lesson, microBatch, normalisers, gradient, true))
    }
    expect([...used].sort()).toEqual(Object.keys(step.dropoutMasks).sort())
    return { parts, gradient: await gradient.read() }
  }
  return { model, batch, run }
}

describe('one training step matches PyTorch autograd', () => {
  const whole = undefined
  for (const [name, rows] of [['finetune', whole], ['finetune', [[2], [0, 1]]], ['convertTarget', whole], ['convertTarget', [[0], [1], [2]]], ['convertTargetInfeasible', whole], ['convertTargetInfeasible', [[1], [0, 2]]]] as const) {
    it(`${name}${rows === whole ? '' : `, in ${rows.length} micro-batches`}`, async () => {
      const step = caseOf(name)
      const { model, batch, run } = prepare(step)
      const { parts: each, gradient } = await run(rows)
      const sum = (of: (parts: LossParts) => number): number => each.reduce((total, part) => total + of(part), 0)
      const parts = { task: sum(({ task }) => task), layerwise: sum(({ layerwise }) => layerwise), output: sum(({ output }) => output), loss: sum(({ loss }) => loss) }
      expect(normalisersOf([batch]).targets).toBe(step.losses.characters)
      if (step.losses.frames !== undefined) expect(normalisersOf([batch]).frames).toBe(step.losses.frames)
      expect(parts.task).toBeCloseTo(step.losses.ctc, 4)
      expect(parts.layerwise).toBeCloseTo(step.alpha === undefined ? 0 : step.alpha * step.losses.layerwise!, 4)
      expect(parts.output).toBeCloseTo(step.beta === undefined ? 0 : step.beta * step.losses.output!, 4)
      expect(parts.loss).toBeCloseTo(step.losses.total, 4)
      step.losses.alignment?.forEach((loss, i) => expect(sum(({ alignment }) => alignment[i]!)).toBeCloseTo(loss, 4))

      const all = norm(Object.values(step.gradients).flatMap(({ data }) => [...data]))
      const zero = new Set(step.zeroGradient.map((entry) => entry.name))
      let worst = { share: 0, name: '' }
      for (const place of model.layout.places) {
        const reference = step.gradients[place.name]!.data
        const found = viewOf(gradient, place)
        const size = norm(reference)
        // The only gradients that may vanish are those the fixture explains.
        expect(size > 1e-9 * all, `${place.name} has a reference gradient`).toBe(!zero.has(place.name))
        const difference = norm(found.map((value, i) => value - reference[i]!))
        const bound = 1e-3 * size + 1e-6 * all
        if (difference / bound > worst.share) worst = { share: difference / bound, name: place.name }
        expect(difference, place.name).toBeLessThanOrEqual(bound)
      }
      console.log(`${name}: compared ${model.layout.places.length} parameters (${zero.size} of zero gradient); worst ${worst.name} at ${(100 * worst.share).toFixed(2)} % of the bound`)
    })
  }

  it('the gradient is the same whether layers keep what is dear or compute it again', async () => {
    const step = caseOf('convertTarget')
    const { gradient: kept } = await prepare(step).run()
    const { hidden_size, num_hidden_layers } = step.studentConfig as { hidden_size: number; num_hidden_layers: number }
    const hiddenState = 4 * hidden_size * step.timeMask.data.length
    for (const states of [0, 1, 3]) {
      const { gradient } = await prepare(step, states * num_hidden_layers * hiddenState).run()
      expect(norm(gradient.map((value, i) => value - kept[i]!)) / norm(kept)).toBeLessThan(1e-6)
    }
  })

  for (const name of ['finetune', 'convertTarget'] as const) {
    it.skipIf(noAdapter !== undefined)(`${name} on webgpu, as on cpu`, { timeout: 300_000 }, async () => {
      const step = caseOf(name)
      const onCpu = await prepare(step).run()
      const { model, run } = prepare(step, undefined, webgpu)
      const { parts, gradient } = await run()
      for (const part of ['loss', 'task', 'layerwise', 'output'] as const) expect(Math.abs(parts[0]![part] - onCpu.parts[0]![part]), part).toBeLessThan(1e-3)
      const all = norm(onCpu.gradient)
      let worst = 0
      for (const place of model.layout.places) {
        const [expected, found] = [viewOf(onCpu.gradient, place), viewOf(gradient, place)]
        const difference = norm(found.map((value, i) => value - expected[i]!))
        worst = Math.max(worst, difference / (norm(expected) + 1e-3 * all))
        expect(difference, place.name).toBeLessThanOrEqual(1e-3 * norm(expected) + 1e-6 * all)
      }
      console.log(`${name}: webgpu differs from cpu by at most ${worst.toExponential(1)} of a parameter's gradient, ${(norm(gradient.map((value, i) => value - onCpu.gradient[i]!)) / all).toExponential(1)} of the whole`)
    })
  }

  for (const [name, alone] of [['finetune', 5e-3], ['convertTarget', 2e-2]] as const) {
    it(`${name} in float16, as in float32, whatever the loss scale`, async () => {
      const step = caseOf(name)
      const wide = await prepare(step).run()
      const all = norm(wide.gradient)
      for (const scale of [2 ** 10, 2 ** 16]) {
        const { model, run } = prepare(step, undefined, cpu, { precision: 'float16', scale })
        const { parts, gradient } = await run()
        for (const part of ['loss', 'task', 'layerwise', 'output'] as const) expect(Math.abs(parts[0]![part] - wide.parts[0]![part]), part).toBeLessThan(2e-3 * Math.max(1, Math.abs(wide.parts[0]![part])))
        const apart = norm(gradient.map((value, i) => value - wide.gradient[i]!)) / all
        let worst = { share: 0, name: '' }
        for (const place of model.layout.places) {
          const [expected, found] = [viewOf(wide.gradient, place), viewOf(gradient, place)]
          const share = norm(found.map((value, i) => value - expected[i]!)) / (norm(expected) + 1e-3 * all)
          if (share > worst.share) worst = { share, name: place.name }
        }
        console.log(`${name}, scale ${scale}: float16 differs from float32 by ${apart.toExponential(1)} of the gradient, at most ${worst.share.toExponential(1)} of a parameter's (${worst.name})`)
        expect(apart).toBeLessThan(1e-2)
        expect(worst.share, worst.name).toBeLessThan(alone)
        // It is float16 indeed.
        expect(apart).toBeGreaterThan(1e-5)
      }
    })
  }

  it('three AdamW updates with clipping', async () => {
    const step = caseOf('threeUpdates')
    const { model, run } = prepare(step)
    const decayed = new Set(step.decayed)
    // The layout's own choice of what to decay is the reference's.
    expect(new Set(model.layout.places.filter(({ decay }) => decay).map(({ name }) => name))).toEqual(decayed)
    const optimiser = new AdamW(model.layout.size)
    const segments = model.layout.places.map(({ offset, size, decay }) => ({ offset, length: size, weightDecay: decay ? step.weightDecay : 0 }))
    for (const [i, learningRate] of step.learningRates.entries()) {
      const { gradient } = await run()
      const size = gradientNorm([gradient])
      expect(Math.abs(size / step.gradientNorms[i]! - 1)).toBeLessThan(1e-4)
      optimiser.step(model.parameters, gradient, { learningRate, update: i + 1, gradientScale: clipScale(size, 1), segments })
    }
    for (const place of model.layout.places) {
      const reference = step.weightsAfter[place.name]!.data
      viewOf(model.parameters, place).forEach((value, i) => expect(Math.abs(value - reference[i]!), `${place.name}[${i}]`).toBeLessThan(1e-4))
    }
  })
})
