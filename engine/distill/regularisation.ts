import type { TrainingSettings } from '../contract/index.ts'
import { UsageError } from '../errors.ts'
import type { Wav2Vec2Config } from '../models/index.ts'

const dropouts = ['hidden_dropout', 'activation_dropout', 'attention_dropout', 'feat_proj_dropout', 'final_dropout'] as const

/** A teacher in training mode drops what the student drops, with the same probabilities. */
export const withDropoutOf = (config: Wav2Vec2Config, student: Wav2Vec2Config): Wav2Vec2Config => ({ ...config, ...Object.fromEntries(dropouts.map((name) => [name, student[name]])) })

/** The model's configuration with the dropout, layer drop and SpecAugment that the settings ask for; what they leave open stays the model's. */
export const withRegularisation = (config: Wav2Vec2Config, { dropout, specAugment, layerDrop }: Pick<TrainingSettings, 'dropout' | 'specAugment' | 'layerDrop'>): Wav2Vec2Config => {
  const result = {
    ...config,
    layerdrop: layerDrop ?? config.layerdrop,
    hidden_dropout: dropout.hidden ?? config.hidden_dropout,
    activation_dropout: dropout.activation ?? config.activation_dropout,
    attention_dropout: dropout.attention ?? config.attention_dropout,
    feat_proj_dropout: dropout.featureProjection ?? config.feat_proj_dropout,
    final_dropout: dropout.final ?? config.final_dropout,
    mask_time_prob: specAugment.timeProbability ?? config.mask_time_prob,
    mask_time_length: specAugment.timeLength ?? config.mask_time_length,
    mask_time_min_masks: specAugment.timeMinMasks ?? config.mask_time_min_masks,
    mask_feature_prob: specAugment.featureProbability ?? config.mask_feature_prob,
    mask_feature_length: specAugment.featureLength ?? config.mask_feature_length,
    mask_feature_min_masks: specAugment.featureMinMasks ?? config.mask_feature_min_masks,
  }
  const hadEmbedding = config.mask_time_prob > 0 || config.mask_feature_prob > 0
  if (result.mask_time_prob > 0 && !hadEmbedding) throw new UsageError('--mask-time-prob: expected a model with masked_spec_embed (mask_time_prob above 0 in its config.json), found none')
  return result
}
