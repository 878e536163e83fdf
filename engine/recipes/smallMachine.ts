import type { Ingredient, Recipe } from './recipe.ts'

/*
 * What a model of a million parameters and an hour of speech took on two CPU cores; measured, not tuned to the end.
 */
const study = 'docs/study.md'
const training = 'training/README.md'

const conversion: readonly Ingredient[] = [
  { path: 'training.updates', value: 400, only: ['guided', 'unguided'], from: study },
  { path: 'training.batchSeconds', value: 30, from: study },
  { path: 'training.schedule.peak', value: 3e-3, only: ['guided', 'unguided'], from: study },
  { path: 'training.schedule.warmupUpdates', value: 40, only: ['guided', 'unguided'], from: study },
  { path: 'training.schedule.decay', value: 'cosine', from: study },
  { path: 'training.schedule.floor', value: 3e-5, only: ['guided', 'unguided'], from: study },
  { path: 'training.weightDecay', value: 5e-3, only: ['guided', 'unguided'], from: study },
  { path: 'training.freezeFrontend', value: true, only: ['guided', 'unguided'], from: study },
  { path: 'training.evaluateEvery', value: 50, only: ['guided', 'unguided'], from: study },
  { path: 'guidance.layerwiseWeight', value: 3.75, only: ['guided'], from: 'recipe tedlium, kept by the study' },
  { path: 'guidance.outputWeight', value: 0.25, only: ['guided'], from: 'recipe tedlium, kept by the study' },
  { path: 'mixer.dState', value: 32, only: ['guided', 'unguided'], from: study },
  { path: 'mixer.headdim', value: 32, only: ['guided', 'unguided'], from: study },
]

export const smallMachineRecipes: readonly Recipe[] = [
  {
    name: 'small-recognition',
    title: 'recognition on a small machine: some minutes on two cores',
    task: 'recognition',
    ingredients: [
      ...conversion,
      { path: 'mixer.inherit', value: true, only: ['target', 'hybrid'], from: study },
      { path: 'training.mixerPhase.updates', value: 100, only: ['target', 'hybrid'], from: study },
      { path: 'training.mixerPhase.learningRate', value: 3e-3, only: ['target', 'hybrid'], from: study },
      { path: 'training.updates', value: 5000, only: ['finetune'], from: training },
      { path: 'training.schedule.peak', value: 1e-3, only: ['finetune'], from: training },
      { path: 'training.schedule.warmupUpdates', value: 150, only: ['finetune'], from: training },
      { path: 'training.schedule.floor', value: 1e-5, only: ['finetune'], from: training },
      { path: 'training.weightDecay', value: 0.02, only: ['finetune'], from: training },
      { path: 'training.freezeFrontend', value: false, only: ['finetune'], from: training },
      { path: 'training.specAugment.timeProbability', value: 0.15, only: ['finetune'], from: training },
      { path: 'training.dropout.hidden', value: 0.1, only: ['finetune'], from: training },
      { path: 'training.dropout.final', value: 0.1, only: ['finetune'], from: training },
      { path: 'training.speeds', value: [0.85, 0.92, 1, 1.08, 1.15], only: ['finetune'], from: training },
      { path: 'training.channels', value: 3, only: ['finetune'], from: training },
      { path: 'training.averageDecay', value: 0.998, only: ['finetune'], from: training },
    ],
  },
  {
    name: 'small-classification',
    title: 'classification of utterances on a small machine: some minutes on two cores',
    task: 'classification',
    ingredients: [
      ...conversion,
      { path: 'training.updates', value: 400, only: ['finetune'], from: study },
      { path: 'training.schedule.peak', value: 2e-3, only: ['finetune'], from: study },
      { path: 'training.schedule.warmupUpdates', value: 40, only: ['finetune'], from: study },
      { path: 'training.schedule.floor', value: 2e-5, only: ['finetune'], from: study },
      { path: 'training.weightDecay', value: 5e-3, only: ['finetune'], from: study },
      { path: 'training.freezeFrontend', value: true, only: ['finetune'], from: study },
      { path: 'training.evaluateEvery', value: 20, only: ['finetune'], from: study },
    ],
  },
]
