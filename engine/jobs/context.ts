import type { OnEvent } from '../contract/index.ts'
import { parsePreprocessor } from '../audio/index.ts'
import { requireFit, Vocabulary, type LoadOptions } from '../datasets/index.ts'
import { headOf, openModel, openToRun, type OpenedModel, type OpenedStoredModel } from '../models/index.ts'
import { chooseDevice, openDevice, type Device, type DeviceState } from '../runtime/index.ts'

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

/** A model with what it needs to hear and, with a CTC head, to spell. */
export interface ReadyModel<Model = OpenedModel> {
  readonly model: Model
  readonly vocabulary: Vocabulary | undefined
  readonly audio: LoadOptions
}

/** Opens a model folder (or a weights file in one), says what of it was not as usual, and checks that the vocabulary of a CTC head fits it. */
export const openReadyModel = async (path: string, onEvent?: OnEvent): Promise<ReadyModel> => ready(await openModel(path), onEvent)

/** The same for a job that only runs the model: its weights may stay in their files. */
export const openReadyToRun = async (path: string, onEvent?: OnEvent): Promise<ReadyModel<OpenedModel | OpenedStoredModel>> => ready(await openToRun(path), onEvent)

const ready = <Model extends OpenedModel | OpenedStoredModel>(model: Model, onEvent: OnEvent | undefined): ReadyModel<Model> => {
  const vocabulary = headOf(model.config).kind === 'ctc' ? Vocabulary.parse(model.folder.vocabulary, model.folder.tokenizer, `${model.folder.path}/vocab.json`) : undefined
  if (vocabulary !== undefined) requireFit(vocabulary, model.config.vocab_size, `${model.folder.path}/vocab.json`)
  const { sampling_rate, do_normalize } = parsePreprocessor(model.folder.preprocessor, `${model.folder.path}/preprocessor_config.json`)
  for (const message of model.notes) onEvent?.({ kind: 'note', message })
  return { model, vocabulary, audio: { samplingRate: sampling_rate, normalise: do_normalize } }
}

/** Runs a job on the device asked for, or the best one, which is disposed of afterwards. UsageError, before anything is done, when it cannot be used. */
export const onDevice = async <T>({ device: name, threads }: ComputeSettings, job: (device: Device, chosen: DeviceState) => Promise<T>): Promise<T> => {
  const chosen = await chooseDevice(name)
  const device = openDevice(chosen.name, { threads })
  try {
    return await job(device, chosen)
  } finally {
    await device.dispose()
  }
}
