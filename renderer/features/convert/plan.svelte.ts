import type { Choices, ConversionInput, GuidanceName, Preferences, SettingChoice } from '../../../engine/contract/index.ts'
import { origins as texts } from '../../texts/convert.ts'

/** A value of a setting, as the form holds it. */
export type Value = number | string | boolean | readonly number[]

/** A value and the layer it comes from: what the user wrote, a recipe, what follows from other values, or the app. */
export interface Resolved {
  readonly value: Value | undefined
  readonly layer: 'own' | 'recipe' | 'derived' | 'default' | 'empty'
  readonly from: string
}

/** What a conversion on a small machine starts from; larger models take a recipe. */
export const defaults: Readonly<Record<string, Value>> = {
  'training.updates': 1000,
  'training.batchSeconds': 30,
  'training.microBatches': 1,
  'training.schedule.peak': 1e-3,
  'training.schedule.decay': 'cosine',
  'training.weightDecay': 0.005,
  'training.clipNorm': 1,
  'training.freezeFrontend': true,
  'training.evaluateEvery': 100,
  'training.keepCheckpoints': 2,
  'training.skipNonFinite': 0,
  'training.seed': 1,
  'training.speeds': [1],
  'training.channels': 0,
  'training.featureCacheBytes': 2 ** 31,
  'guidance.layerwiseWeight': 3.75,
  'guidance.outputWeight': 0.25,
  'guidance.teacherEvery': 1,
  'guidance.keepOutput': false,
  'mixer.inherit': false,
  'mixer.expand': 1,
  'mixer.headdim': 32,
  'mixer.dState': 32,
  'mixer.dConv': 4,
  'mixer.ngroups': 1,
  'mixer.convActivation': 'silu',
  'mixer.gate': 'silu',
  'mixer.norm': 'rms',
}

/** Settings that are the model's own where nobody says otherwise. */
const ofModel = /^training\.(dropout|specAugment|layerDrop)/

/** The plan of a conversion while it is made: every setting is what the user wrote, else the recipe's, else what follows from others, else the app's. */
export class Plan {
  name = $state('')
  teacher = $state('')
  source = $state('')
  train = $state('')
  dev = $state('')
  guidance = $state<GuidanceName>('target')
  recipe = $state('')
  device = $state<Preferences['device']>('auto')
  own = $state<Record<string, Value>>({})
  readonly #choices: () => Choices | undefined

  constructor(choices: () => Choices | undefined) {
    this.#choices = choices
  }

  /** A setting without what the user wrote. */
  without(path: string): Resolved {
    const named = this.#choices()?.recipes.find(({ name }) => name === this.recipe)?.values[this.guidance][path]
    if (named !== undefined) return { value: named.value as Value, layer: 'recipe', from: `${texts.recipe(this.recipe)}: ${named.from}` }
    const derived = this.#derived(path)
    if (derived !== undefined) return { value: derived, layer: 'derived', from: texts.derived[path] ?? '' }
    const value = defaults[path]
    if (value !== undefined) return { value, layer: 'default', from: texts.default }
    return { value: undefined, layer: 'empty', from: ofModel.test(path) ? texts.model : texts.empty }
  }

  at(path: string): Resolved {
    const own = this.own[path]
    return own === undefined ? this.without(path) : { value: own, layer: 'own', from: texts.own }
  }

  number(path: string): number {
    const { value } = this.at(path)
    return typeof value === 'number' ? value : 0
  }

  set(path: string, value: Value | undefined): void {
    const others = Object.entries(this.own).filter(([other]) => other !== path)
    this.own = Object.fromEntries(value === undefined ? others : [...others, [path, value]])
  }

  #derived(path: string): number | undefined {
    if (path === 'training.schedule.warmupUpdates') return Math.floor(this.number('training.updates') / 10)
    if (path === 'training.schedule.floor') return this.number('training.schedule.peak') / 100
    if (path === 'training.mixerPhase.learningRate' && this.at('training.mixerPhase.updates').value !== undefined) return this.number('training.schedule.peak')
    if (path === 'training.mixerSwitch.over' && this.at('training.mixerSwitch.after').value !== undefined) return Math.max(1, this.number('training.mixerSwitch.after'))
    if (path === 'guidance.switchUpdate' && this.guidance === 'hybrid') return Math.max(1, Math.floor(this.number('training.updates') / 2))
    return undefined
  }

  /** Every setting that has a value, and where it comes from, for the run to record. */
  toConversion(name: string, settings: readonly SettingChoice[]): ConversionInput {
    const tree: { training: Record<string, unknown>; guidance: Record<string, unknown>; mixer: Record<string, unknown> } = { training: {}, guidance: {}, mixer: {} }
    const origins: Record<string, string> = {}
    for (const { path } of settings) {
      const { value, layer } = this.at(path)
      if (value === undefined || (path === 'guidance.switchUpdate' && this.guidance !== 'hybrid')) continue
      put(tree, path, value)
      origins[path] = layer === 'recipe' ? texts.recipe(this.recipe) : layer === 'own' ? 'app' : 'default'
    }
    const { inherit, ...shape } = tree.mixer
    // Mixers of a shape that was written down are not those that a recipe has in mind.
    const shaped = ['mixer.headdim', 'mixer.dState'].some((path) => this.own[path] !== undefined) && this.own['mixer.inherit'] === undefined
    const isGuided = this.guidance !== 'unguided'
    return {
      name,
      teacher: this.teacher,
      ...(this.source === '' ? {} : { source: this.source }),
      train: this.train,
      dev: this.dev,
      guidance: { ...tree.guidance, guidance: this.guidance, ...(isGuided ? {} : { layerwiseWeight: 0, outputWeight: 0 }) } as ConversionInput['guidance'],
      mixer: (inherit === true && !shaped ? 'inherited' : shape) as ConversionInput['mixer'],
      training: tree.training as ConversionInput['training'],
      device: this.device,
      chosen: { recipe: this.recipe === '' ? null : this.recipe, origins },
    }
  }
}

const put = (tree: Record<string, unknown>, path: string, value: unknown): void => {
  const names = path.split('.')
  let branch = tree
  for (const name of names.slice(0, -1)) branch = (branch[name] ??= {}) as Record<string, unknown>
  branch[names.at(-1)!] = value
}
