import { z } from 'zod'

/** What a process of the desktop app asks of the main process, which alone may start others there: a message for it, or one for or about a process it started. */
export const upSchema = z.union([
  z.strictObject({ up: z.unknown() }),
  z.strictObject({ launch: z.int().nonnegative(), entry: z.string() }),
  z.strictObject({ to: z.int().nonnegative(), message: z.unknown() }),
  z.strictObject({ kill: z.int().nonnegative() }),
])
export type Up = z.infer<typeof upSchema>

/** What the main process tells a process: a message of its own, or one from or about a process that it started. */
export type Down = { readonly down: unknown } | { readonly launched: number; readonly pid: number | undefined } | { readonly from: number; readonly message: unknown } | { readonly ended: number; readonly how: string }
