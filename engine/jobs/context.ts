import type { OnEvent } from '../contract/index.ts'
import { parsePreprocessor } from '../audio/index.ts'
import { requireFit, Vocabulary, type LoadOptions } from '../datasets/index.ts'
import { openModel, type OpenedModel, type OpenOptions } from '../models/index.ts'
import { openDevice, type Device } from '../runtime/index.ts'

/** How a job is watched and stopped. */
export interface JobContext {
  readonly signal: AbortSignal
  readonly onEvent: OnEvent
}

/** Where a job computes. */
export interface ComputeSettings {
  readonly device: 'auto' | 'cpu' | 'webgpu'
  readonly threads: number
}

/** A model with what it needs to hear and to spell. */
export interface ReadyModel {
  readonly model: OpenedModel
  readonly vocabulary: Vocabulary
  readonly audio: LoadOptions
}

/** How a model is opened: what a head is made for where it has none, and who hears of what was not as usual. */
interface ReadyOptions extends OpenOptions {
  readonly onEvent?: OnEvent
}

/** Opens a model folder (or a weights file in one) and checks that its vocabulary fits its head. */
export const openReadyModel = async (path: string, { onEvent, ...options }: ReadyOptions = {}): Promise<ReadyModel> => {
  const model = await openModel(path, options)
  const vocabulary = Vocabulary.parse(model.folder.vocabulary, model.folder.tokenizer, `${path}/vocab.json`)
  requireFit(vocabulary, model.config.vocab_size, `${path}/vocab.json`)
  const { sampling_rate, do_normalize } = parsePreprocessor(model.folder.preprocessor, `${path}/preprocessor_config.json`)
  for (const message of model.notes) onEvent?.({ kind: 'note', message })
  return { model, vocabulary, audio: { samplingRate: sampling_rate, normalise: do_normalize } }
}

/** Runs a job on a device that is disposed of afterwards. */
export const onDevice = async <T>({ device: name, threads }: ComputeSettings, job: (device: Device) => Promise<T>): Promise<T> => {
  const device = openDevice(name, { threads })
  try {
    return await job(device)
  } finally {
    await device.dispose()
  }
}
