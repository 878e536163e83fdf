import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const cookieName = 'cald-session'
const local = new Set(['127.0.0.1', 'localhost', '[::1]'])

const same = (a: string, b: string): boolean => {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

/** The name in a Host header, without its port: a tunnel may change the port, a page of another name that resolves to this machine may not come in. */
const hostName = (host: string | undefined): string => (host ?? '').replace(/:\d+$/, '')

export type Admission = 'in' | 'use token' | { readonly status: 401 | 403 | 405; readonly why: string }

/** Who may talk to the server: browsers on this machine that came by a token, each of which opens one session. */
export class Gate {
  #token = randomBytes(24).toString('base64url')
  readonly #sessions: string[] = []

  /** Opens one session; the next one needs the next token. */
  get token(): string {
    return this.#token
  }

  /** Whether a request may go on; 'use token' when it brings a token that is right. */
  admit({ headers, method }: IncomingMessage, url: URL): Admission {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, why: 'expected GET' }
    if (!local.has(hostName(headers.host))) return { status: 403, why: 'expected this machine as host (through a tunnel: localhost)' }
    if (headers.origin !== undefined && headers.origin !== `http://${headers.host ?? ''}`) return { status: 403, why: 'expected no page of another origin' }
    const token = url.searchParams.get('token')
    if (token !== null && url.pathname === '/' && same(token, this.#token)) return 'use token'
    const session = (headers.cookie ?? '').split(/;\s*/).find((part) => part.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1)
    if (session !== undefined && this.#sessions.some((one) => same(one, session))) return 'in'
    return { status: 401, why: 'expected the address that cald serve prints; it opens one browser, and a new one is printed when it is used' }
  }

  /** Uses the token up; returns the header that keeps the session. */
  openSession(): string {
    this.#token = randomBytes(24).toString('base64url')
    const session = randomBytes(24).toString('base64url')
    this.#sessions.push(session)
    return `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`
  }
}
