import { ascii, concatenated, little } from './memory.ts'

/** A safetensors file of a header, which may be any text, and data. */
export const safetensorsOf = (header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array<ArrayBuffer> => {
  const text = ascii(typeof header === 'string' ? header : JSON.stringify(header))
  return concatenated(little(text.length, 8), text, data)
}

/** A member of an archive; `directory` changes what the directory says of it. */
export interface MemberToWrite {
  readonly name: string
  readonly data: Uint8Array
  readonly directory?: Partial<{ method: number; flags: number; compressed: number; size: number; header: number; extra: Uint8Array }>
}

/** A zip archive of stored members; `end` changes what its end record says. */
export const zipOf = (members: readonly MemberToWrite[], end: Partial<{ count: number; size: number; offset: number; comment: Uint8Array; before: Uint8Array }> = {}): Uint8Array<ArrayBuffer> => {
  const bodies: Uint8Array[] = []
  const entries: Uint8Array[] = []
  let at = 0
  for (const { name, data, directory = {} } of members) {
    const { method = 0, flags = 0, compressed = data.length, size = data.length, header = at, extra = new Uint8Array() } = directory
    const text = ascii(name)
    const body = concatenated(little(0x04034b50, 4), little(20, 2), little(flags, 2), little(method, 2), new Uint8Array(8), little(compressed, 4), little(size, 4), little(text.length, 2), little(0, 2), text, data)
    entries.push(
      concatenated(little(0x02014b50, 4), little(20, 2), little(20, 2), little(flags, 2), little(method, 2), new Uint8Array(8), little(compressed, 4), little(size, 4)),
      concatenated(little(text.length, 2), little(extra.length, 2), new Uint8Array(10), little(header, 4), text, extra),
    )
    bodies.push(body)
    at += body.length
  }
  const directory = concatenated(...entries)
  const { count = members.length, size = directory.length, offset = at, comment = new Uint8Array(), before = new Uint8Array() } = end
  return concatenated(...bodies, directory, before, little(0x06054b50, 4), new Uint8Array(4), little(count, 2), little(count, 2), little(size, 4), little(offset, 4), little(comment.length, 2), comment)
}

/** A file of torch.save with this pickle and these storages. */
export const torchOf = (pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array<ArrayBuffer> =>
  zipOf([{ name: 'archive/data.pkl', data: pickle }, { name: 'archive/byteorder', data: ascii('little') }, ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data }))])

/** Pickle operations by hand; `run` ends them. */
export const pickle = {
  run: (...operations: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => concatenated(Uint8Array.of(0x80, 2), ...operations, ascii('.')),
  global: (module: string, name: string): Uint8Array<ArrayBuffer> => ascii(`c${module}\n${name}\n`),
  text: (value: string): Uint8Array<ArrayBuffer> => concatenated(ascii('X'), little(ascii(value).length, 4), ascii(value)),
  int: (value: number): Uint8Array<ArrayBuffer> => concatenated(ascii('J'), little(value, 4)),
  counts: (...values: readonly number[]): Uint8Array<ArrayBuffer> => concatenated(ascii('('), ...values.map(pickle.int), ascii('t')),
  /** A storage's persistent id, then a tensor of it. */
  tensor: (key: string, elements: number, shape: readonly number[], stride: readonly number[], offset = 0): Uint8Array<ArrayBuffer> =>
    concatenated(
      pickle.global('torch._utils', '_rebuild_tensor_v2'),
      ascii('(('),
      pickle.text('storage'),
      pickle.global('torch', 'FloatStorage'),
      pickle.text(key),
      pickle.text('cpu'),
      pickle.int(elements),
      ascii('tQ'),
      pickle.int(offset),
      pickle.counts(...shape),
      pickle.counts(...stride),
      Uint8Array.of(0x89),
      ascii('}tR'),
    ),
  /** A dictionary of operations' values by key. */
  dictionary: (entries: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> => concatenated(ascii('}('), ...Object.entries(entries).flatMap(([key, value]) => [pickle.text(key), value]), ascii('u')),
}
