import { CheckpointError } from '../../errors.ts'

/**
 * The names under which checkpoints of this family keep their tensors, brought to one naming: that of HF's Wav2Vec2ForCTC with
 * torch.nn.utils.parametrizations. A rule is needed here when a trainer or a version of a library names the same tensor otherwise.
 */
const rules: readonly { readonly pattern: RegExp; readonly name: string }[] = [
  // What wraps a model: DataParallel, torch.compile, the authors' model of a recogniser and further parts.
  { pattern: /^(?:(?:module|_orig_mod|asr_model)\.)+/, name: '' },
  // A bare Wav2Vec2Model has no prefix.
  { pattern: /^(?=feature_extractor\.conv_layers\.|feature_projection\.|encoder\.|masked_spec_embed$)/, name: 'wav2vec2.' },
  // torch.nn.utils.weight_norm, which its successor renamed.
  { pattern: /(?<=^wav2vec2\.encoder\.pos_conv_embed\.conv\.)weight_g$/, name: 'parametrizations.weight.original0' },
  { pattern: /(?<=^wav2vec2\.encoder\.pos_conv_embed\.conv\.)weight_v$/, name: 'parametrizations.weight.original1' },
]

export const canonicalName = (name: string): string => rules.reduce((renamed, { pattern, name: replacement }) => renamed.replace(pattern, replacement), name)

/** The stored name of each canonical one; CheckpointError when two tensors are the same part of the model. */
export const canonicalNames = (stored: readonly string[], path: string): Map<string, string> => {
  const names = new Map<string, string>()
  for (const name of stored) {
    const canonical = canonicalName(name)
    const other = names.get(canonical)
    if (other !== undefined) throw new CheckpointError(`${path}: expected one tensor for ${canonical}, found both ${other} and ${name}`)
    names.set(canonical, name)
  }
  return names
}

/**
 * Modules that other architectures of HF (ForPreTraining, ForSequenceClassification) and the authors' models have beside the body, and
 * that a model with another head, or none, has no place for.
 */
const otherModules = new Set(['quantizer', 'project_q', 'project_hid', 'projector', 'classifier', 'layer_weights', 'decoder', 'adaptor'])

/** The module that a tensor belongs to, when it is one that may be left out. */
export const otherModule = (canonical: string): string | undefined => {
  const module = canonical.split('.', 1)[0]!
  return otherModules.has(module) ? module : undefined
}
