import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vite'

interface Licence {
  readonly name: string
  readonly version: string
  readonly licence: string
  /** What its licence and notice files say. */
  readonly text: string
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const read = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest

/** The folder of a package that a file of node_modules belongs to. */
const packageOf = (id: string): string | undefined => /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(id)?.[1]

const licenceOf = (folder: string): Licence => {
  const { name, version, license = 'not stated' } = read(folder)
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file) && !/\.(js|ts)$/.test(file))
  return { name, version, licence: license, text: files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n') }
}

/** Packages that the product needs where it runs, and theirs. */
const neededBy = (folder: string, found = new Set<string>()): Set<string> => {
  for (const name of Object.keys(read(folder).dependencies ?? {})) {
    const paths = createRequire(join(folder, 'package.json')).resolve.paths(name) ?? []
    const own = paths.map((path) => join(path, name)).find((path) => readdirOrNothing(path).includes('package.json'))
    if (own === undefined || found.has(own)) continue
    found.add(own)
    neededBy(own, found)
  }
  return found
}
const readdirOrNothing = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Writes licences.json beside the page: of every package whose code is in it, and of those that the engine needs. */
export const licences = (): Plugin => ({
  name: 'licences',
  generateBundle(_, bundle) {
    const bundled = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? Object.keys(part.modules) : []))
    const folders = new Set([...bundled.flatMap((id) => packageOf(id.replace(/^\0/, '')) ?? []), ...neededBy(dirname(import.meta.dirname))])
    const all = [...folders].map(licenceOf).sort((a, b) => a.name.localeCompare(b.name))
    const unique = all.filter(({ name, version }, i) => all.findIndex((other) => other.name === name && other.version === version) === i)
    this.emitFile({ type: 'asset', fileName: 'licences.json', source: JSON.stringify(unique) })
  },
})
