import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { wrongField } from './wrongField.ts'

const idsSchema = z.record(z.string(), z.int().nonnegative())
const addedSchema = z.looseObject({ added_tokens_decoder: z.record(z.string().regex(/^\d{1,9}$/), z.looseObject({ content: z.string() })).nullish() })

const parsed = <Schema extends z.ZodType>(schema: Schema, value: unknown, path: string): z.output<Schema> => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new ConfigError(`${path}: ${wrongField(result.error, value)}`)
}

/**
 * A vocab.json with the tokens that HF keeps elsewhere: those of added_tokens.json, and of tokenizer_config.json's added_tokens_decoder; but not those
 * beyond the `outputs` of the model's head, which no frame can have. A vocabulary that is none is left as it is, for whoever reads it to judge; ConfigError names the field
 * of another file that is not what it should be.
 */
export const completeVocabulary = (vocabulary: unknown, added: unknown, tokenizer: unknown, outputs: number, folder: string): unknown => {
  const own = idsSchema.safeParse(vocabulary)
  if (!own.success) return vocabulary
  const later = parsed(idsSchema, added ?? {}, join(folder, 'added_tokens.json'))
  const { added_tokens_decoder: decoder } = parsed(addedSchema, tokenizer ?? {}, join(folder, 'tokenizer_config.json'))
  const decoded = Object.entries(decoder ?? {}).map(([id, { content }]): [string, number] => [content, Number(id)])
  const complete = new Map(Object.entries(own.data))
  for (const [token, id] of [...Object.entries(later), ...decoded]) if (!complete.has(token) && id < outputs) complete.set(token, id)
  return Object.fromEntries(complete)
}

const processorSchema = z.looseObject({ feature_extractor: z.looseObject({}).optional() })

/** preprocessor_config.json, or the feature extractor inside processor_config.json, where newer versions of transformers keep it. */
export const preprocessorOf = (preprocessor: unknown, processor: unknown, folder: string): unknown => {
  if (preprocessor !== undefined) return preprocessor
  return parsed(processorSchema, processor ?? {}, join(folder, 'processor_config.json')).feature_extractor
}
