import { z } from 'zod'
import { deviceSchema, guidanceSchema, mixerSchema, trainingSchema } from './settings.ts'

/** Names one thing of the library. */
export const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,80}$/, 'expected an id of the library')

export const conversionSchema = z.strictObject({
  name: z.string().trim().min(1).max(80),
  teacher: id,
  source: id.optional(),
  train: id,
  dev: id,
  guidance: guidanceSchema,
  /** The shape of the student's mixers, or that of the attention they replace, with its weights. */
  mixer: z.union([mixerSchema, z.literal('inherited')]),
  training: trainingSchema,
  device: deviceSchema.default('auto'),
  /** For run.json: the recipe, and where each value comes from, by its dotted path. */
  chosen: z.strictObject({ recipe: z.string().max(80).nullable(), origins: z.record(z.string().max(120), z.string().max(200)) }).optional(),
})
export type Conversion = z.output<typeof conversionSchema>
/** A conversion as a window writes it down. */
export type ConversionInput = z.input<typeof conversionSchema>

export const preferencesSchema = z.strictObject({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  threads: z.int().positive().max(1024).optional().describe('CPU threads; default: all'),
  device: deviceSchema.default('auto').describe('where runs and comparisons compute'),
})
export type Preferences = z.output<typeof preferencesSchema>
