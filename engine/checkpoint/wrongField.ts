import type { z } from 'zod'

const longest = 80

const shown = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** The first field of a file that is not what its schema wants, in one line: `pad_token: expected string, found 3`. `expected` may know better words for a field. */
export const wrongField = ({ issues }: z.ZodError, value: unknown, expected: (field: string) => string | undefined = () => undefined): string => {
  const issue = issues[0]!
  const field = issue.path.join('.')
  const found = issue.path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | null | undefined)?.[step], value)
  const wanted = expected(field) ?? `expected ${issue.message.replace(/^Invalid (input|option|key in record)(: expected )?/, '').replace(/, received .*$/, '') || 'something else'}`
  return `${field === '' ? '' : `${field}: `}${wanted}, found ${shown(found)}`
}
