import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { GuidanceInput, MixerInput, TrainingInput } from '../contract/index.ts'
import { MissingFileError, reasonOf, UsageError } from '../errors.ts'
import { layerOf, recipeOf, recipes, requireGiven, resolve, treeOf, valuesOf, type Layer, type Role, type Values } from '../recipes/index.ts'
import { guidanceOf, mixerOf, mixerTrainingOf, trainingOf, type ConvertFlags, type TrainingFlags } from './options.ts'

export interface RecipeFlags {
  recipe?: string
  settings?: string
}

export const withRecipe = (command: Command): Command =>
  command
    .option('--recipe <name>', 'settings by the name of a recipe (cald recipes lists them); flags and --settings go before it')
    .option('--settings <file>', 'a JSON file of settings, as run.json has them: {"training": {"updates": 400, …}, …}; flags go before it')

/** Which settings a flag decides. */
const pathsOfFlags: Readonly<Record<string, readonly string[]>> = {
  steps: ['training.updates'],
  batchSeconds: ['training.batchSeconds'],
  microBatches: ['training.microBatches'],
  lr: ['training.schedule.peak'],
  warmup: ['training.schedule.warmupUpdates'],
  plateau: ['training.schedule.plateauUpdates'],
  decay: ['training.schedule.decay'],
  decayUpdates: ['training.schedule.decayUpdates'],
  lrFloor: ['training.schedule.floor'],
  weightDecay: ['training.weightDecay'],
  decayScope: ['training.decayScope'],
  clip: ['training.clipNorm'],
  evaluateEvery: ['training.evaluateEvery'],
  keepCheckpoints: ['training.keepCheckpoints'],
  average: ['training.averageDecay'],
  patience: ['training.patience'],
  skipNonFinite: ['training.skipNonFinite'],
  waypoints: ['training.waypointEvery'],
  seed: ['training.seed'],
  freezeFrontend: ['training.freezeFrontend'],
  trainFrontend: ['training.freezeFrontend'],
  dropout: ['hidden', 'activation', 'attention', 'featureProjection', 'final'].map((site) => `training.dropout.${site}`),
  hiddenDropout: ['training.dropout.hidden'],
  activationDropout: ['training.dropout.activation'],
  attentionDropout: ['training.dropout.attention'],
  finalDropout: ['training.dropout.final'],
  speeds: ['training.speeds'],
  channels: ['training.channels'],
  maskTimeProb: ['training.specAugment.timeProbability'],
  maskTimeLength: ['training.specAugment.timeLength'],
  maskFeatureProb: ['training.specAugment.featureProbability'],
  maskFeatureLength: ['training.specAugment.featureLength'],
  layerDrop: ['training.layerDrop'],
  firstUpdates: ['training.firstUtterances.updates'],
  firstSeconds: ['training.firstUtterances.maxSeconds'],
  firstCharacters: ['training.firstUtterances.minCharacters'],
  guidance: ['guidance.guidance'],
  layerwiseWeight: ['guidance.layerwiseWeight'],
  outputWeight: ['guidance.outputWeight'],
  teacherEvery: ['guidance.teacherEvery'],
  teacherMode: ['guidance.teacherMode'],
  switch: ['guidance.switchUpdate'],
  keepOutput: ['guidance.keepOutput'],
  waypointUpdates: ['guidance.waypointUpdates'],
  headdim: ['mixer.headdim'],
  dState: ['mixer.dState'],
  inheritMixers: ['mixer.inherit'],
  switchMixers: ['training.mixerSwitch.after', 'training.mixerSwitch.over'],
  switchOver: ['training.mixerSwitch.over'],
  mixerUpdates: ['training.mixerPhase.updates'],
  mixerLr: ['training.mixerPhase.learningRate'],
}

const readSettings = async (path: string): Promise<Layer> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MissingFileError(`--settings: expected a JSON file, ${path}, found ${reasonOf(error)}`)
  })
  try {
    return { origin: path, values: valuesOf(JSON.parse(text), path) }
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${path}: expected JSON, found ${error.message}`)
    throw error
  }
}

/** Those of the flags' values that were given on the command line, and those that are defaults. */
const layersOfFlags = (command: Command, values: Values): [Layer, Layer] => {
  const given = new Set(Object.entries(pathsOfFlags).flatMap(([flag, paths]) => (command.getOptionValueSource(flag) === 'cli' ? paths : [])))
  const split = (chosen: boolean): Values => Object.fromEntries(Object.entries(values).filter(([path]) => given.has(path) === chosen))
  return [{ origin: 'flag', values: split(true) }, { origin: 'default', values: split(false) }]
}

/** Defaults that follow from other settings, where those were not given as flags. */
const derived = (values: Values): Values => {
  const [updates, peak] = [values['training.updates'] as number, values['training.schedule.peak'] as number]
  return {
    'training.schedule.warmupUpdates': Math.floor(updates / 10),
    'training.schedule.floor': peak / 100,
    ...(values['training.mixerPhase.updates'] === undefined ? {} : { 'training.mixerPhase.learningRate': peak }),
  }
}

export interface ChosenSettings {
  readonly training: TrainingInput
  readonly guidance: GuidanceInput
  readonly mixer: MixerInput | 'inherited'
  /** For run.json: the recipe, and where each value comes from. */
  readonly chosen: { readonly recipe: string | null; readonly origins: Readonly<Record<string, string>> }
}

/** The settings of a run: flags that were given, else the settings file, else the recipe, else the flags' defaults. */
export const chooseSettings = async (command: Command, flags: TrainingFlags & RecipeFlags & Partial<ConvertFlags>, role: Role, frozenByDefault: boolean): Promise<ChosenSettings> => {
  const converts = role !== 'finetune'
  const conversion = flags as ConvertFlags
  const mixer = converts ? mixerOf(conversion) : undefined
  const plain = valuesOf(
    withoutUndefined({
      training: { ...trainingOf(flags, frozenByDefault), ...(converts ? mixerTrainingOf(conversion) : {}) },
      ...(converts ? { guidance: guidanceOf(conversion), mixer: mixer === 'inherited' ? { inherit: true } : mixer } : {}),
    }),
    'the flags',
  )
  const recipe = flags.recipe === undefined ? undefined : recipeOf(recipes, flags.recipe)
  const [given, defaults] = layersOfFlags(command, plain)
  const above = [given, ...(flags.settings === undefined ? [] : [await readSettings(flags.settings)]), ...(recipe === undefined ? [] : [layerOf(recipe, role)])]
  const foreign = converts ? undefined : Object.keys(resolve(above).values).find((path) => !path.startsWith('training.'))
  if (foreign !== undefined) throw new UsageError(`--settings: expected settings of training for finetune, found ${foreign}`)
  const first = resolve([...above, defaults])
  const { values, origins } = resolve([...above, { origin: 'default', values: derived(first.values) }, defaults])
  if (recipe !== undefined) requireGiven(recipe, role, resolve(above).values)
  const tree = treeOf(values) as { training: TrainingInput; guidance: GuidanceInput; mixer?: MixerInput & { inherit?: boolean } }
  const { inherit, ...shape } = tree.mixer ?? {}
  // Mixers of a shape asked for by flag are not those that a recipe has in mind.
  const shaped = ['mixer.headdim', 'mixer.dState'].some((path) => origins[path] === 'flag') && origins['mixer.inherit'] !== 'flag'
  return { training: tree.training, guidance: tree.guidance, mixer: inherit === true && !shaped ? 'inherited' : (shape as MixerInput), chosen: { recipe: flags.recipe ?? null, origins } }
}

const withoutUndefined = (tree: unknown): unknown => JSON.parse(JSON.stringify(tree))
