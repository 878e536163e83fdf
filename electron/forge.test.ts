import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import { expect, it } from 'vitest'
import forge from '../forge.config.ts'

const sentinel = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'

it.each([
  ['linux', 'electron', 'resources/app'],
  ['win32', 'electron.exe', 'resources/app'],
])('sets every fuse of the packaged binary: %s', async (platform, name, app) => {
  const folder = await mkdtemp(join(tmpdir(), 'cald-fuses-'))
  const binary = join(folder, name)
  await mkdir(dirname(join(folder, app)), { recursive: true })
  // As Electron has it: a mark, the version of the wire, its length, and a character a fuse; all the wrong way round.
  const wrong = Object.values(FuseV1Options).filter((fuse) => typeof fuse === 'number').map((fuse) => ([FuseV1Options.EnableCookieEncryption, FuseV1Options.EnableEmbeddedAsarIntegrityValidation, FuseV1Options.OnlyLoadAppFromAsar, FuseV1Options.WasmTrapHandlers].includes(fuse) ? '0' : '1'))
  await writeFile(binary, Buffer.concat([Buffer.from(`code ${sentinel}`), Buffer.from([1, wrong.length]), Buffer.from(`${wrong.join('')} code`)]))
  await forge.hooks.packageAfterCopy({}, join(folder, app), '45.4.1', platform)
  const wire = await getCurrentFuseWire(binary)
  const state = (fuse: FuseV1Options): boolean => wire[fuse] === FuseState.ENABLE
  expect({
    runAsNode: state(FuseV1Options.RunAsNode),
    nodeOptions: state(FuseV1Options.EnableNodeOptionsEnvironmentVariable),
    inspect: state(FuseV1Options.EnableNodeCliInspectArguments),
    fileRights: state(FuseV1Options.GrantFileProtocolExtraPrivileges),
    integrity: state(FuseV1Options.EnableEmbeddedAsarIntegrityValidation),
    onlyAsar: state(FuseV1Options.OnlyLoadAppFromAsar),
    cookies: state(FuseV1Options.EnableCookieEncryption),
  }).toEqual({ runAsNode: false, nodeOptions: false, inspect: false, fileRights: false, integrity: true, onlyAsar: true, cookies: true })
})

it('keeps native libraries outside the archive, and sources out of the package', () => {
  const { asar, ignore } = forge.packagerConfig
  expect(asar.unpack).toBe('**/node_modules/onnxruntime-node/bin/**')
  const left = (path: string): boolean => ignore.some((pattern) => pattern.test(path))
  for (const path of ['/engine/ir/ops.ts', '/electron/main/index.ts', '/.git/config', '/docs/architecture.md']) expect(left(path), path).toBe(true)
  for (const path of ['/dist/electron/main/index.js', '/dist/renderer/index.html', '/assets/models/digits/config.json', '/package.json', '/node_modules/zod/package.json']) expect(left(path), path).toBe(false)
})
