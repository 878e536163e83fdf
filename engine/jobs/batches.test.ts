import { expect, it } from 'vitest'
import { trainingSchema } from '../contract/index.ts'
import { footprintOf, mostKeptBytes, studentFrom, taskOf } from '../distill/index.ts'
import { createModel } from '../models/index.ts'
import { benchConfig } from './benchTasks.ts'
import { roomToKeep } from './batches.ts'

it('keeps what is free and not wanted otherwise, up to the most that may be kept', () => {
  const teacher = createModel(benchConfig('small'), 1)
  const student = studentFrom(teacher, { expand: 1, dState: 32, dConv: 4, headdim: 32, ngroups: 1 }, 1)
  const settings = trainingSchema.parse({ updates: 1, batchSeconds: 20, schedule: { peak: 1e-3, warmupUpdates: 1, decay: 'none', floor: 0 }, weightDecay: 0, clipNorm: 1, freezeFrontend: true, evaluateEvery: 1, seed: 1 })
  const vocabulary = undefined
  const request = { student, teacher, source: undefined, guidance: undefined, waypoints: [], files: { preprocessor: {}, vocabulary: {}, tokenizer: {} }, lineage: {}, task: {} as ReturnType<typeof taskOf>, audio: { samplingRate: 16_000, normalise: true }, train: [{ id: 'a', path: 'a', duration: 10, text: '' }], dev: [], vocabulary } as unknown as Parameters<typeof roomToKeep>[0]
  const largest = { batch: 2, frames: 499 }
  const { optimiser, features, activations, working } = footprintOf({ ...request, settings, keptBytes: 0 }, largest)
  const rest = optimiser + features + activations + working
  expect(roomToKeep(request, settings, largest, rest)).toBe(0)
  expect(roomToKeep(request, settings, largest, (rest + 2 ** 28 + 1) / 0.8)).toBe(2 ** 28)
  expect(roomToKeep(request, settings, largest, 1e12)).toBe(mostKeptBytes)
  // What is kept is counted, a whole number of results a layer.
  const { kept } = footprintOf({ ...request, settings, keptBytes: 2 ** 24 }, largest)
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThanOrEqual(2 ** 24)
  expect(kept % (4 * largest.batch * largest.frames * student.config.num_hidden_layers)).toBe(0)
})
