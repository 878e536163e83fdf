import { z } from 'zod'

const idsSchema = z.record(z.string(), z.int().nonnegative())
const addedSchema = z.looseObject({ added_tokens_decoder: z.record(z.string().regex(/^\d{1,9}$/), z.looseObject({ content: z.string() })) })

/**
 * A vocab.json with the tokens that HF keeps elsewhere: those of added_tokens.json, and of tokenizer_config.json's added_tokens_decoder; but not those
 * beyond the `outputs` of the model's head, which no frame can have. What is no vocabulary is left as it is, for whoever reads it to judge.
 */
export const completeVocabulary = (vocabulary: unknown, added: unknown, tokenizer: unknown, outputs: number): unknown => {
  const own = idsSchema.safeParse(vocabulary)
  if (!own.success) return vocabulary
  const later = idsSchema.safeParse(added ?? {})
  const decoder = addedSchema.safeParse(tokenizer)
  const decoded = decoder.success ? Object.entries(decoder.data.added_tokens_decoder).map(([id, { content }]): [string, number] => [content, Number(id)]) : []
  const complete = new Map(Object.entries(own.data))
  for (const [token, id] of [...Object.entries(later.success ? later.data : {}), ...decoded]) if (!complete.has(token) && id < outputs) complete.set(token, id)
  return Object.fromEntries(complete)
}

const processorSchema = z.looseObject({ feature_extractor: z.looseObject({}) })

/** preprocessor_config.json, or the feature extractor inside processor_config.json, where newer versions of transformers keep it. */
export const preprocessorOf = (preprocessor: unknown, processor: unknown): unknown => {
  if (preprocessor !== undefined) return preprocessor
  const parsed = processorSchema.safeParse(processor)
  return parsed.success ? parsed.data.feature_extractor : undefined
}
