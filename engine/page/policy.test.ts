import { expect, it } from 'vitest'
import { contentPolicy, newNonce } from './policy.ts'

it('allows what comes with the app and nothing else', () => {
  expect(contentPolicy('NONCE').split('; ')).toEqual([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'nonce-NONCE'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "media-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ])
  expect(newNonce()).not.toBe(newNonce())
  expect(Buffer.from(newNonce(), 'base64').length).toBeGreaterThanOrEqual(16)
})
