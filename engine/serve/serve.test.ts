import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect as connectTo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { AppAnswers, AppArguments, AppRequest, FromHost } from '../contract/index.ts'
import { contentPolicy } from '../page/index.ts'
import { openWorkshop, type Workshop } from '../cli/testing/command.ts'
import { serve, type Server } from './index.ts'

let server: Server
let workshop: Workshop
let cookie: string
const addresses: string[] = []

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

const get = (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: server.port, path, headers, method }, (response) => {
      let text = ''
      response.setEncoding('latin1').on('data', (part: string) => (text += part)).on('end', () => resolve({ status: response.statusCode!, text, headers: response.headers }))
    })
    sent.on('error', reject)
    sent.end()
  })

const connect = (headers: Readonly<Record<string, string>>, path = '/socket'): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers })
    socket.once('open', () => resolve(socket)).once('error', reject)
  })

const origin = (): string => `http://127.0.0.1:${server.port}`
let count = 0
const asking = (socket: WebSocket) => <R extends AppRequest>(name: R, args: AppArguments<R>): Promise<AppAnswers[R]> =>
  new Promise((resolve, reject) => {
    const ask = count++
    const hear = (data: Buffer): void => {
      const message = JSON.parse(data.toString()) as FromHost
      if (!('answer' in message) || message.answer !== ask) return
      socket.off('message', hear)
      if ('error' in message) reject(new Error(message.error.message))
      else resolve(message.result as AppAnswers[R])
    }
    socket.on('message', hear)
    socket.send(JSON.stringify({ ask, request: name, args }))
  })

beforeAll(async () => {
  workshop = await openWorkshop()
  const folder = await mkdtemp(join(tmpdir(), 'cald-serve-'))
  const renderer = join(folder, 'renderer')
  await mkdir(renderer)
  await writeFile(join(renderer, 'index.html'), '<!doctype html><title>app</title><meta property="csp-nonce" nonce="CSP_NONCE">')
  await writeFile(join(folder, 'secret.html'), 'secret')
  server = await serve({ store: join(folder, 'store'), port: 0, renderer, onAddress: (address) => addresses.push(address) })
  const first = await get(new URL(addresses[0]!).pathname + new URL(addresses[0]!).search)
  expect(first.status).toBe(303)
  cookie = String(first.headers['set-cookie']).split(';')[0]!
})
afterAll(() => server.close())

test('a token opens one session, and the next is another', async () => {
  expect((await get(`/?token=${new URL(addresses[0]!).searchParams.get('token')!}`)).status).toBe(401)
  expect(addresses).toHaveLength(2)
  expect(addresses[1]).not.toBe(addresses[0])
  expect((await get('/')).status).toBe(401)
  expect((await get('/', { cookie: 'cald-session=wrong' })).status).toBe(401)
  expect((await get('/', { cookie })).text).toContain('<title>app</title>')
})

test('it listens on loopback alone', async () => {
  // An address of this machine that it would answer on if it listened on all of them.
  await expect(new Promise((resolve, reject) => connectTo(server.port, '127.0.0.2').once('connect', resolve).once('error', reject))).rejects.toThrow(/ECONNREFUSED|EADDRNOTAVAIL|ETIMEDOUT/)
})

test('only this machine as host, no foreign origin, only GET', async () => {
  expect((await get('/', { cookie, host: 'evil.example' })).status).toBe(403)
  expect((await get('/', { cookie, host: 'localhost:9999' })).status).toBe(200)
  expect((await get('/', { cookie, origin: 'http://evil.example' })).status).toBe(403)
  expect((await get('/', { cookie }, 'POST')).status).toBe(405)
})

test('no file but those of the app, and no listing', async () => {
  for (const path of ['/../secret.html', '/%2e%2e/secret.html', '/assets', '/assets/', '/audio/none/x', '//etc/passwd']) expect((await get(path, { cookie })).status).toBe(404)
  expect((await get('/audio/none/0', { cookie })).status).toBe(400)
})

test('every answer carries a policy that allows nothing from elsewhere', async () => {
  for (const { headers } of [await get('/', { cookie }), await get('/'), await get('/none', { cookie })]) {
    expect(headers['content-security-policy']).toMatch(/^default-src 'none';/)
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin', 'cache-control': 'no-store' })
  }
  const nonces = await Promise.all(
    [1, 2].map(async () => {
      const { text, headers: sent } = await get('/', { cookie })
      const nonce = /nonce="([^"]{20,})"/.exec(text)![1]!
      expect(sent['content-security-policy']).toBe(contentPolicy(nonce))
      return nonce
    }),
  )
  expect(nonces[0]).not.toBe(nonces[1])
  const { headers } = await get(new URL(addresses.at(-1)!).pathname + new URL(addresses.at(-1)!).search)
  expect(String(headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict/)
})

test('a socket needs the session and the origin', async () => {
  await expect(connect({ origin: origin() })).rejects.toThrow('403')
  await expect(connect({ cookie })).rejects.toThrow('403')
  await expect(connect({ cookie, origin: 'http://evil.example' })).rejects.toThrow('403')
  await expect(connect({ cookie, origin: origin() }, '/other')).rejects.toThrow('403')
  const closedBy = async (message: string): Promise<unknown> => {
    const socket = await connect({ cookie, origin: origin() })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.send(message)
    return closed
  }
  expect(await closedBy('{"ask": "no number"}')).toBe(1008)
  expect(await closedBy(JSON.stringify({ ask: 1, request: 'library', args: {}, padding: ' '.repeat(1 << 20) }))).toBe(1009)
})

test('arguments are parsed, and what is thrown comes back', async () => {
  const socket = await connect({ cookie, origin: origin() })
  const ask = asking(socket)
  await expect(ask('utterances', { data: '../../etc', search: '', offset: 0, limit: 10 })).rejects.toThrow('utterances: data: expected an id of the library')
  await expect(ask('nothing' as AppRequest, {})).rejects.toThrow('expected a request of the contract, found "nothing"')
  await expect(ask('constructor' as AppRequest, {})).rejects.toThrow('expected a request of the contract')
  await expect(ask('importModel', { path: workshop.folder })).rejects.toThrow('expected model.safetensors')
  expect((await ask('library', {})).models.map(({ name }) => name)).toEqual(['Digits teacher', 'Source model'])
  socket.close()
})

test('a spoken sample is there from the beginning, to be heard', async () => {
  const socket = await connect({ cookie, origin: origin() })
  const [sample, ...others] = (await asking(socket)('library', {})).data
  expect([sample!.name, others]).toEqual(['Spoken sample', []])
  expect([sample!.facts.utterances, sample!.facts.seconds]).toEqual([1, 2.96])
  expect((await get(`/audio/${sample!.id}/0`, { cookie })).text).toHaveLength(44 + 2 * 2.96 * 16_000)
  socket.close()
})

test('a model and a corpus come into the library as they are', async () => {
  const socket = await connect({ cookie, origin: origin() })
  const ask = asking(socket)
  const model = await ask('importModel', { path: workshop.model })
  expect(model).toMatchObject({ name: 'model', origin: 'imported', kind: 'transformer', facts: { parameters: workshop.weights.layout.size, layers: 2 } })
  await expect(ask('importModel', { path: workshop.model })).rejects.toThrow('in the library already')
  const data = await ask('importData', { path: workshop.manifest })
  expect(data.facts.utterances).toBe(8)
  expect(data.facts.seconds).toBeCloseTo(8 * 0.5 + 0.07 * 28, 3)
  expect(data.facts.histogram.reduce((total, { count: n }) => total + n, 0)).toBe(8)
  expect((await ask('utterances', { data: data.id, search: 'ab', offset: 0, limit: 10 })).rows.map(({ text }) => text)).toEqual(['C AB', 'ABC', 'AAB'])
  const { seconds, peaks } = await ask('peaks', { data: data.id, utterance: 0, buckets: 20 })
  expect(seconds).toBeCloseTo(0.5, 3)
  expect(Math.max(...peaks)).toBeGreaterThan(0.1)
  const wav = await get(`/audio/${data.id}/0`, { cookie })
  expect([wav.status, wav.headers['content-type'], wav.text.length]).toEqual([200, 'audio/wav', 44 + 2 * 8000])
  await ask('removeModel', { id: model.id })
  expect((await ask('library', {})).models.find(({ id }) => id === model.id)?.removed).toBe(true)
  socket.close()
})

test('a run whose engine is killed goes on from its checkpoint to the end', async () => {
  const socket = await connect({ cookie, origin: origin() })
  const ask = asking(socket)
  const { models, data } = await ask('library', {})
  const [teacher, corpus] = [models.find(({ path }) => path === workshop.model)!.id, data.find(({ path }) => path === workshop.manifest)!.id]
  await ask('restoreModel', { id: teacher })
  const run = await ask('startConversion', {
    name: 'Killed',
    teacher,
    train: corpus,
    dev: corpus,
    guidance: { guidance: 'target', layerwiseWeight: 1, outputWeight: 0.25 },
    mixer: { expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 },
    training: { updates: 60, batchSeconds: 2, schedule: { peak: 1e-3, warmupUpdates: 2, decay: 'none', floor: 0 }, weightDecay: 0, clipNorm: 1, freezeFrontend: true, evaluateEvery: 5, seed: 1 },
  })
  const until = async (fits: (run: NonNullable<AppAnswers['library']['runs'][number]>) => boolean): Promise<AppAnswers['library']['runs'][number]> => {
    for (;;) {
      const found = (await ask('library', {})).runs.find(({ id }) => id === run.id)!
      if (fits(found)) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  await until(({ update }) => update >= 6)
  process.kill(server.workbench.enginePids().runs!, 'SIGKILL')
  const interrupted = await until(({ state }) => state !== 'running')
  expect(interrupted).toMatchObject({ state: 'interrupted', error: expect.stringContaining('SIGKILL') as string })
  await ask('resumeRun', { id: run.id })
  const done = await until(({ state }) => state === 'done' || state === 'failed')
  expect([done.state, done.update, done.error]).toEqual(['done', 60, undefined])
  const metrics = await ask('metrics', { id: run.id })
  expect(metrics.update).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
  const student = (await ask('library', {})).models.find(({ id }) => id === done.student)!
  expect(student).toMatchObject({ origin: 'run', kind: 'student', teacher, data: corpus, run: run.id })
  socket.close()
}, 120_000)
