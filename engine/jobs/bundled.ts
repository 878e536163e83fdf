import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MissingFileError } from '../errors.ts'

/** The folder of the installed package. */
export const packageRoot = (): string => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) if (existsSync(join(folder, 'package.json'))) return folder
  throw new MissingFileError(`expected a package.json above ${import.meta.dirname}, found none`)
}

/** The folder of a model that comes with the product; MissingFileError when it was left out of this installation. */
export const bundledModel = (name: 'source' | 'digits'): string => {
  const folder = join(packageRoot(), 'assets', 'models', name)
  if (!existsSync(folder)) throw new MissingFileError(`${folder}: expected the bundled model ${name}, found no such folder`)
  return folder
}

/** A recording that comes with the product; MissingFileError when it was left out of this installation. */
export const bundledSample = (): string => {
  const path = join(packageRoot(), 'assets', 'speech', 'spoken-sample.wav')
  if (!existsSync(path)) throw new MissingFileError(`${path}: expected the spoken sample, found no such file`)
  return path
}
