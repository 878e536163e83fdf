/** The app without a desktop: the renderer and the contract over loopback HTTP and WebSocket, for a browser here or behind an SSH tunnel. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { WebSocketServer, type WebSocket } from 'ws'
import { toHostSchema, type FromHost } from '../contract/index.ts'
import { messageOf, UsageError } from '../errors.ts'
import { packageRoot } from '../jobs/bundled.ts'
import { contentPolicy, newNonce, readStaticFiles, withNonce, type StaticFile } from '../page/index.ts'
import { answered, openWorkbench, type Workbench } from '../workbench/index.ts'
import { Gate } from './gate.ts'

export interface ServeSettings {
  /** The library's folder. */
  readonly store: string
  /** 0 takes a free one. */
  readonly port: number
  /** The built renderer; default: the one that comes with the product. */
  readonly renderer?: string | undefined
  /** Called with each address that opens one browser. */
  readonly onAddress: (address: string) => void
}

export interface Server {
  readonly port: number
  readonly workbench: Workbench
  readonly close: () => Promise<void>
}

/** Sent with every answer; a page has a policy with its own nonce. */
const headers = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}
/** A message of a window is small: a conversion's settings at most. */
const largestMessage = 1 << 20

export const serve = async ({ store, port, renderer, onAddress }: ServeSettings): Promise<Server> => {
  const files = await readStaticFiles(renderer ?? join(packageRoot(), 'dist', 'renderer'))
  const workbench = await openWorkbench(store)
  const gate = new Gate()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestMessage })
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => end(response, 400, messageOf(error)))
  })
  const urlOf = (request: IncomingMessage): URL => new URL(request.url ?? '/', 'http://localhost')
  const announce = (): void => onAddress(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=${gate.token}`)

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = urlOf(request)
    const admission = gate.admit(request, url)
    if (admission === 'use token') {
      response.writeHead(303, { ...headers, 'Set-Cookie': gate.openSession(), Location: '/' }).end()
      announce()
    } else if (admission !== 'in') end(response, admission.status, admission.why)
    else {
      const audio = /^\/audio\/([a-z0-9-]+)\/(\d{1,9})$/.exec(url.pathname)
      const file: StaticFile | undefined = audio === null ? files.get(url.pathname) : { type: 'audio/wav', bytes: await workbench.wav(audio[1]!, Number(audio[2])) }
      if (file === undefined) end(response, 404, 'expected an address of the app, found none such')
      else {
        const nonce = newNonce()
        const isPage = file.type.startsWith('text/html')
        const bytes = isPage ? withNonce(file.bytes, nonce) : file.bytes
        const policy = isPage ? { 'Content-Security-Policy': contentPolicy(nonce) } : {}
        response.writeHead(200, { ...headers, ...policy, 'Content-Type': file.type, 'Content-Length': bytes.length }).end(request.method === 'HEAD' ? undefined : bytes)
      }
    }
  }

  server.on('upgrade', (request, socket, head) => {
    const url = urlOf(request)
    // A browser always names its origin here; what does not is no browser of ours.
    if (gate.admit(request, url) !== 'in' || url.pathname !== '/socket' || request.headers.origin === undefined) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (opened) => converse(opened, workbench))
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new UsageError(`--port ${port}: expected a free port, found ${messageOf(error)}`)))
    server.listen(port, '127.0.0.1', resolve)
  }).catch(async (error: unknown) => {
    await workbench.close()
    throw error
  })
  announce()
  return {
    port: (server.address() as AddressInfo).port,
    workbench,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await workbench.close()
    },
  }
}

const end = (response: ServerResponse, status: number, why: string): void => void response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end(`${why}\n`)

/** Answers a window's requests and passes on events until it closes. */
const converse = (socket: WebSocket, workbench: Workbench): void => {
  const say = (message: FromHost): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }
  const unwatch = workbench.watch((event) => say({ event }))
  socket.on('close', unwatch)
  socket.on('error', () => socket.terminate())
  socket.on('message', (data: Buffer) => {
    let message
    try {
      message = toHostSchema.parse(JSON.parse(data.toString('utf8')))
    } catch {
      socket.close(1008, 'expected a request of the contract')
      return
    }
    const { ask, request, args } = message
    answered(ask, workbench.ask(request, args)).then(say, (error: unknown) => {
      throw error
    })
  })
}
