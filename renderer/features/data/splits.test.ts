import { expect, test } from 'vitest'
import type { DataEntry } from '../../../engine/contract/index.ts'
import { splitOf } from './splits.ts'

const data = (id: string, path: string, more: Partial<DataEntry> = {}): DataEntry => ({ id, name: id, path, addedAt: '', removed: false, facts: {}, ...more }) as unknown as DataEntry
const whole = data('whole', '/c/all.jsonl')
const part = (name: 'train' | 'dev' | 'test', run: string): DataEntry => data(`${run}-${name}`, `/s/${run}/${name}.jsonl`, { split: { of: 'whole', part: name, by: 'speaker', seed: 1 } })
const partsOf = (one: DataEntry, all: readonly DataEntry[]): string[] | undefined => splitOf(one, all)?.parts.map(({ data: { id } }) => id)

test('a corpus shows the newest of its splits, a part the one it is of', () => {
  const all = [whole, part('test', 'a'), part('train', 'a'), part('dev', 'a'), part('train', 'b'), part('dev', 'b')]
  expect(partsOf(whole, all)).toEqual(['b-train', 'b-dev'])
  expect(partsOf(all[1]!, all)).toEqual(['a-train', 'a-dev', 'a-test'])
  expect(splitOf(whole, all)).toMatchObject({ whole: { id: 'whole' }, by: 'speaker' })
})

test('folders and manifests called train, dev and test side by side are one', () => {
  const all = [data('a', '/c/train'), data('b', '/c/dev.jsonl'), data('c', '/other/test'), data('d', '/c/validation', { removed: true }), data('e', '/c/more')]
  expect(partsOf(all[0]!, all)).toEqual(['a', 'b'])
  expect(partsOf(all[2]!, all)).toBeUndefined()
  expect(partsOf(all[4]!, all)).toBeUndefined()
})
