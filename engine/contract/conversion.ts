import { z } from 'zod'
import { guidanceSchema, mixerSchema, trainingSchema } from './settings.ts'

/** Names one thing of the library. */
export const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,80}$/, 'expected an id of the library')

export const conversionSchema = z.strictObject({
  name: z.string().trim().min(1).max(80),
  teacher: id,
  source: id.optional(),
  train: id,
  dev: id,
  guidance: guidanceSchema,
  mixer: mixerSchema,
  training: trainingSchema,
})
export type Conversion = z.output<typeof conversionSchema>
/** A conversion as a window writes it down. */
export type ConversionInput = z.input<typeof conversionSchema>

export const preferencesSchema = z.strictObject({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  threads: z.int().positive().max(1024).optional().describe('CPU threads; default: all'),
})
export type Preferences = z.output<typeof preferencesSchema>
