import { existsSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Where Debian's chromium keeps its software Vulkan driver and the loader that goes with it. */
const folder = '/usr/lib/chromium'
const driver = join(folder, 'vk_swiftshader_icd.json')
const loader = join(folder, 'libvulkan.so.1')

/** glibc's: the library stays although it is no module of Node's. */
const keepLoaded = 0x1000

/**
 * Makes the software adapter of an installed chromium the one that WebGPU finds, in this process and those it starts; says why a test must
 * be skipped when there is none. Must come before the first use of WebGPU.
 */
export const useSwiftShader = (): string | undefined => {
  if (process.platform !== 'linux') return 'SwiftShader is looked for on Linux only'
  if (!existsSync(driver) || !existsSync(loader)) return `no software Vulkan driver in ${folder} (Debian: apt install chromium)`
  process.env.VK_ICD_FILENAMES = driver
  process.env.XDG_RUNTIME_DIR ??= tmpdir()
  process.env.LD_LIBRARY_PATH = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter)
  try {
    // The variable is read when a process starts; in this one the loader must be there before it is asked for.
    process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | keepLoaded)
  } catch {
    // It is no module of Node's, which Node says after loading it.
  }
  return undefined
}
