import { CounterRandom } from '../../random.ts'
import { concatenated, little } from './memory.ts'

/** Numbers at which readers go wrong. */
const edges = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]
/** Bytes that mean something to one of the formats: quotes and brackets, pickle operations allowed and not, zip's initials. */
const tokens = [...new TextEncoder().encode('"{}[],:0123456789\\.()]}atuseqrhjQRbcilNKMJGXVUBCTSPIL'), 0x50, 0x4b, 0x80, 0x81, 0x82, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x92, 0x93, 0x94, 0x95, 0x96]
/** What headers and pickles hold, and what hostile ones do. */
const words = ['"dtype":"F32"', '"data_offsets":[0,4]', '"shape":[9007199254740993]', '[[[[[[[[', '1e999', '-1', '__metadata__', '__proto__', 'cos\nsystem\n', 'cbuiltins\neval\n', 'ctorch\nload\n', 'storage', '(lp0\n', '\u0000', '\ud83d\ude00'].map((word) => new TextEncoder().encode(word))

type Change = (bytes: Uint8Array<ArrayBuffer>, random: (below: number) => number) => Uint8Array<ArrayBuffer>

const replaced = (bytes: Uint8Array<ArrayBuffer>, at: number, removed: number, added: Uint8Array): Uint8Array<ArrayBuffer> => concatenated(bytes.subarray(0, at), added, bytes.subarray(Math.min(bytes.length, at + removed)))

const changes: readonly Change[] = [
  /* one bit */ (bytes, random) => {
    const at = random(bytes.length)
    return replaced(bytes, at, 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random(8))))
  },
  /* one byte */ (bytes, random) => replaced(bytes, random(bytes.length), 1, Uint8Array.of(random(256))),
  /* one token in place of a byte, or between two */ (bytes, random) => replaced(bytes, random(bytes.length), random(2), Uint8Array.of(tokens[random(tokens.length)]!)),
  /* a word */ (bytes, random) => replaced(bytes, random(bytes.length), random(12), words[random(words.length)]!),
  /* a number at an edge */ (bytes, random) => {
    const length = ([1, 2, 4, 8] as const)[random(4)]!
    return replaced(bytes, random(bytes.length), length, little(edges[random(edges.length)]!, length))
  },
  /* a number in text */ (bytes, random) => replaced(bytes, random(bytes.length), 1, new TextEncoder().encode(String(edges[random(edges.length)]))),
  /* cut out */ (bytes, random) => replaced(bytes, random(bytes.length), 1 + random(64), new Uint8Array()),
  /* cut off */ (bytes, random) => bytes.slice(0, random(bytes.length)),
  /* said twice */ (bytes, random) => {
    const from = random(bytes.length)
    return replaced(bytes, random(bytes.length), 0, bytes.subarray(from, from + 1 + random(200)))
  },
  /* moved over */ (bytes, random) => {
    const from = random(bytes.length)
    const moved = bytes.slice(from, from + 1 + random(64))
    return replaced(bytes, random(bytes.length), moved.length, moved)
  },
]

/** The mutation of a number: one to four changes, the same for the same (seed, number) ever after. Half of them fall into `hot` ([from, to)). */
export const mutate = (subject: Uint8Array<ArrayBuffer>, hot: readonly [number, number], seed: number, number: number): Uint8Array<ArrayBuffer> => {
  const source = new CounterRandom(seed, 'mutation', number)
  const below = (limit: number): number => Math.floor(source.nextFloat() * Math.max(1, limit))
  let bytes = subject
  for (let left = 1 + below(4); left > 0; left--) {
    const change = changes[below(changes.length)]!
    if (below(2) === 0) bytes = change(bytes, below)
    else {
      const [from, to] = [Math.min(hot[0], bytes.length), Math.min(hot[1], bytes.length)]
      bytes = concatenated(bytes.subarray(0, from), change(bytes.slice(from, to), below), bytes.subarray(to))
    }
  }
  return bytes
}
