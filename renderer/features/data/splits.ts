import type { DataEntry } from '../../../engine/contract/index.ts'

export type Part = 'train' | 'dev' | 'test'

const names: readonly (readonly [Part, RegExp])[] = [['train', /^train(ing)?$/i], ['dev', /^(dev(el(opment)?)?|valid(ation)?)$/i], ['test', /^(test|eval(uation)?)$/i]]
const nameOf = (path: string): string => (path.split(/[\\/]/).at(-1) ?? '').replace(/\.(jsonl|csv|tsv)$/i, '')
const folderOf = (path: string): string => path.slice(0, Math.max(0, path.length - (path.split(/[\\/]/).at(-1) ?? '').length))

/** What a corpus is for, by how it was divided here, else by what its file or folder is called. */
export const partOf = ({ path, split }: DataEntry): Part | undefined => split?.part ?? names.find(([, name]) => name.test(nameOf(path)))?.[0]

export interface Split {
  /** The corpus that was divided, when it was divided here. */
  readonly whole: DataEntry | undefined
  readonly by: 'speaker' | 'utterance' | undefined
  readonly parts: readonly { readonly part: Part; readonly data: DataEntry }[]
}

const order: readonly Part[] = ['train', 'dev', 'test']

/** How a corpus and those that belong to it are divided: by a split made here (the newest, of several), else by the folder in which train, dev and test lie side by side. */
export const splitOf = (data: DataEntry, all: readonly DataEntry[]): Split | undefined => {
  const there = all.filter(({ removed, recording }) => !removed && recording === undefined)
  const made = there.filter(({ split, path }) => split !== undefined && (split.of === data.id || (data.split !== undefined && folderOf(path) === folderOf(data.path))))
  const newest = made.at(-1)
  const own = newest === undefined ? [] : made.filter(({ path }) => folderOf(path) === folderOf(newest.path))
  const beside = own.length > 0 || partOf(data) === undefined ? [] : there.filter((one) => one.split === undefined && partOf(one) !== undefined && folderOf(one.path) === folderOf(data.path))
  const parts = own.length > 0 ? own : beside
  if (parts.length < 2) return undefined
  return {
    whole: newest === undefined ? undefined : all.find(({ id }) => id === newest.split!.of),
    by: newest?.split!.by,
    parts: parts.map((one) => ({ part: partOf(one)!, data: one })).sort((a, b) => order.indexOf(a.part) - order.indexOf(b.part)),
  }
}
