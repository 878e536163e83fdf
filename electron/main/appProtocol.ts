import { protocol, type Session } from 'electron'
import { contentPolicy, newNonce, withNonce, type StaticFile } from '../../engine/page/index.ts'

/** To be called before the app is ready: `app:` is an origin like any other, without the rights of `file:`. */
export const registerAppScheme = (): void => protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } }])

/** Sent with every answer; a page has a policy with its own nonce. */
const headers = { 'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'", 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin', 'Cache-Control': 'no-store' }

const refuse = (status: number, why: string): Response => new Response(`${why}\n`, { status, headers: { ...headers, 'Content-Type': 'text/plain; charset=utf-8' } })

/** The app's addresses: the files of the built renderer, by a table made at the start, and the sound of utterances of the library. */
export const answerAddress = async (files: ReadonlyMap<string, StaticFile>, soundOf: (data: string, utterance: number) => Promise<Uint8Array>, { method, url }: { method: string; url: string }): Promise<Response> => {
  const { host, pathname } = new URL(url)
  if (method !== 'GET' || host !== 'cald') return refuse(405, 'expected GET of an address of the app')
  const sound = /^\/audio\/([a-z0-9-]+)\/(\d{1,9})$/.exec(pathname)
  const file = sound === null ? files.get(pathname) : { type: 'audio/wav', bytes: await soundOf(sound[1]!, Number(sound[2])) }
  if (file === undefined) return refuse(404, 'expected an address of the app, found none such')
  const isPage = file.type.startsWith('text/html')
  const nonce = newNonce()
  const bytes = isPage ? withNonce(file.bytes, nonce) : file.bytes
  return new Response(Buffer.from(bytes), { headers: { ...headers, ...(isPage ? { 'Content-Security-Policy': contentPolicy(nonce) } : {}), 'Content-Type': file.type } })
}

export const serveApp = (session: Session, files: ReadonlyMap<string, StaticFile>, soundOf: (data: string, utterance: number) => Promise<Uint8Array>): void =>
  session.protocol.handle('app', (request) =>
    answerAddress(files, soundOf, request).catch((error: unknown) => refuse(400, error instanceof Error ? error.message : String(error))),
  )
