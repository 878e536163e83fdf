import { join } from 'node:path'
import { flipFuses, FuseV1Options, FuseVersion } from '@electron/fuses'

/** Nothing of Node's own command line works in the packaged app, and it loads itself from its archive only, whose bytes are checked. */
export const fuses = {
  version: FuseVersion.V1,
  strictlyRequireAllFuses: true,
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableCookieEncryption]: true,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
  [FuseV1Options.WasmTrapHandlers]: true,
} as const

/** Electron's binary beside the folder that the app was copied to. */
const binaryBeside = (buildPath: string, platform: string): string =>
  platform === 'darwin' || platform === 'mas' ? join(buildPath, '..', '..', 'MacOS', 'Electron') : join(buildPath, '..', '..', platform === 'win32' ? 'electron.exe' : 'electron')

/** What `npx @electron-forge/cli package` makes of the built app (Node 22 or newer). */
export default {
  packagerConfig: {
    name: 'CALD Studio',
    executableName: 'cald-studio',
    // The operating system loads native libraries and their models itself, which it cannot from inside an archive.
    asar: { unpack: '**/node_modules/onnxruntime-node/bin/**' },
    ignore: [/^\/(engine|renderer|electron|e2e|bench|study|fixtures|training|docs|coverage|runs)(\/|$)/, /^\/\./, /\.(test|config)\.ts$/],
    prune: true,
  },
  hooks: {
    packageAfterCopy: async (_config: unknown, buildPath: string, _version: string, platform: string): Promise<void> => {
      await flipFuses(binaryBeside(buildPath, platform), fuses)
    },
  },
}
