import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Linux shows a graphics device, as opposed to a driver that computes on the CPU, under one of these. */
const deviceNodes = /^(dri|nvidia\d+|dxg|mali\d+|kgsl-3d0)$/

/** Vendors by their PCI number. */
const vendors: Readonly<Record<string, string>> = { '0x10de': 'NVIDIA', '0x1002': 'AMD', '0x8086': 'Intel', '0x1414': 'Microsoft', '0x106b': 'Apple', '0x13b5': 'ARM', '0x5143': 'Qualcomm' }

const entries = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])
const firstMatch = (path: string, pattern: RegExp): string | undefined => {
  try {
    return pattern.exec(readFileSync(path, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

/** Whether a graphics device can be there; only Linux says so without asking a driver. */
export const mayHaveGraphics = (): boolean => process.platform !== 'linux' || entries('/dev').some((name) => deviceNodes.test(name))

/** What is known of the graphics devices of this machine without asking a driver; undefined when nothing is. */
export const graphicsName = (): string | undefined => {
  if (process.platform !== 'linux') return undefined
  const models = entries('/proc/driver/nvidia/gpus').map((gpu) => firstMatch(join('/proc/driver/nvidia/gpus', gpu, 'information'), /^Model:\s*(.+)$/m))
  const cards = entries('/sys/class/drm').filter((name) => /^card\d+$/.test(name))
  const makers = cards.map((card) => firstMatch(join('/sys/class/drm', card, 'device', 'vendor'), /(0x[0-9a-f]+)/)).map((id) => (id === undefined ? undefined : (vendors[id] ?? `vendor ${id}`)))
  const names = [...new Set((models.length > 0 ? models : makers).filter((name) => name !== undefined))]
  return names.length === 0 ? undefined : names.join(', ')
}

/** The drivers that this process has loaded which compute on the CPU, where no other one is loaded; undefined when there are none. */
export const softwareDriver = (): string | undefined => {
  const maps = process.platform === 'linux' && existsSync('/proc/self/maps') ? readFileSync('/proc/self/maps', 'utf8') : ''
  if (/libGLX_nvidia|libnvidia-|libvulkan_(?!lvp)\w+\.so|amdvlk/.test(maps)) return undefined
  if (/vk_swiftshader/.test(maps)) return 'SwiftShader'
  return /libvulkan_lvp/.test(maps) ? 'llvmpipe' : undefined
}
