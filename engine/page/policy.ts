import { randomBytes } from 'node:crypto'

/** What a window may load: what comes with the app, and nothing inline but the styles that carry this answer's nonce. */
export const contentPolicy = (nonce: string): string =>
  `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** A nonce for one answer, which nobody can foretell. */
export const newNonce = (): string => randomBytes(18).toString('base64')

/** The app's page with the nonce in the place that it has for it, where its scripts find it. */
export const withNonce = (html: Uint8Array, nonce: string): Uint8Array => Buffer.from(Buffer.from(html).toString('utf8').replace('CSP_NONCE', nonce))
