import { pickle, safetensorsOf, torchOf, zipOf, type MemberToWrite } from './build.ts'
import { ascii, concatenated, little } from './memory.ts'

/** A file made to do harm, and what its refusal must say. */
export interface Attack {
  readonly name: string
  readonly kind: 'safetensors' | 'zip'
  readonly bytes: () => Uint8Array<ArrayBuffer>
  readonly message: string
}

const tensorEntry = (from: number, to: number, shape: readonly number[] = [(to - from) / 4]): unknown => ({ dtype: 'F32', shape, data_offsets: [from, to] })
const four = new Uint8Array(4)
const repeated = (text: string, times: number): Uint8Array<ArrayBuffer> => ascii(text.repeat(times))

const safetensors = (name: string, message: string, bytes: Attack['bytes']): Attack => ({ name, kind: 'safetensors', message, bytes })
const zip = (name: string, message: string, bytes: Attack['bytes']): Attack => ({ name, kind: 'zip', message, bytes })
/** A pickle inside an archive that is in order otherwise, with one storage of four bytes. */
const pickled = (name: string, message: string, ...operations: readonly (Uint8Array | (() => Uint8Array))[]): Attack =>
  zip(name, message, () => torchOf(pickle.run(...operations.map((operation) => (typeof operation === 'function' ? operation() : operation))), { 0: four }))
/** Calling a global with one argument, as pickles that take a machine over do. */
const calling = (module: string, name: string): Attack =>
  pickled(`${module}.${name} is called`, `found the global ${module}.${name}: nothing of it was executed`, pickle.global(module, name), pickle.text('touch /tmp/executed'), Uint8Array.of(0x85), ascii('R'))

const members = (...list: readonly MemberToWrite[]): Uint8Array<ArrayBuffer> => zipOf([{ name: 'archive/data.pkl', data: pickle.run(ascii('}')) }, ...list])
const zip64 = (values: readonly bigint[]): Uint8Array => concatenated(little(1, 2), little(8 * values.length, 2), ...values.map((value) => little(value, 8)))

export const attacks: readonly Attack[] = [
  safetensors('a header longer than the file', 'expected a header of', () => concatenated(little(2n ** 40n, 8), ascii('{}'))),
  safetensors('a header of 2^64 − 1 bytes', 'expected a header of', () => concatenated(little(2n ** 64n - 1n, 8), ascii('{}'))),
  safetensors('a header of 9 MB', 'expected a header of at most', () => concatenated(little(9_000_000, 8), repeated(' ', 9_000_000))),
  safetensors('two million brackets', 'more than 3 levels of nesting', () => safetensorsOf('['.repeat(2_000_000))),
  safetensors('eight million characters of empty objects', 'more than 200000 values', () => safetensorsOf(`{"a":[${'{},'.repeat(2_700_000)}0]}`)),
  safetensors('eight million characters of one string', 'where a string that ends should be', () => safetensorsOf(`{"${'\\"'.repeat(4_000_000)}`)),
  safetensors('one key twice', 'the key "x" twice', () => safetensorsOf(`{"x":${JSON.stringify(tensorEntry(0, 4))},"x":${JSON.stringify(tensorEntry(0, 4))}}`, four)),
  safetensors('one key twice inside a tensor', 'the key "dtype" twice', () => safetensorsOf('{"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', four)),
  safetensors('overlapping tensors', 'tensor y: expected its data at byte 4, found 0', () => safetensorsOf({ x: tensorEntry(0, 4), y: tensorEntry(0, 4) }, four)),
  safetensors('data past the end', 'the file is truncated', () => safetensorsOf({ x: tensorEntry(0, 4000) }, four)),
  safetensors('a shape of more elements than a number can say', 'more elements than a number can say', () => safetensorsOf({ x: tensorEntry(0, 4, [2 ** 40, 2 ** 40]) }, four)),
  safetensors('a shape whose product wraps to 0 in 64 bits', 'more elements than a number can say', () => safetensorsOf({ x: tensorEntry(0, 0, [2 ** 32, 2 ** 32]) })),
  safetensors('offsets that run backwards', 'bytes for its shape', () => safetensorsOf({ x: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, four)),
  safetensors('a tensor named __proto__', 'expected dtype, shape and data_offsets', () => safetensorsOf('{"__proto__":{"polluted":true}}')),

  calling('os', 'system'),
  calling('posix', 'system'),
  calling('builtins', 'eval'),
  calling('builtins', '__import__'),
  calling('subprocess', 'Popen'),
  calling('torch', 'load'),
  calling('torch.storage', '_load_from_bytes'),
  pickled('a global whose name is put together on the stack', 'the global os.system', pickle.text('os'), pickle.text('system'), Uint8Array.of(0x93)),
  pickled('an allowed global with a dot that leads elsewhere', 'the global collections.OrderedDict.__init__', pickle.global('collections', 'OrderedDict.__init__')),
  pickled('a class made by INST', 'opcode 0x69', ascii('(ios\nsystem\n')),
  pickled('a class made by OBJ', 'opcode 0x6f', ascii('('), pickle.global('collections', 'OrderedDict'), ascii('o')),
  pickled('a name from the extension registry', 'opcode 0x82', Uint8Array.of(0x82, 1)),
  pickled('an out-of-band buffer', 'opcode 0x97', Uint8Array.of(0x97)),
  pickled('a dtype that is called', 'a name that makes a tensor', pickle.global('torch', 'float32'), ascii(')R')),
  pickled('a list that holds itself', 'values that do not hold themselves', ascii(']q\x00h\x00a')),
  pickled('a dictionary that holds itself', 'values that do not hold themselves', ascii('}q\x00'), pickle.text('model'), ascii('h\x00s')),
  pickled('a tuple that holds itself through a list', 'values that do not hold themselves', ascii(']q\x00h\x00'), Uint8Array.of(0x85), ascii('a')),
  pickled('tuples that double two hundred times', 'levels of nesting', () => concatenated(ascii(')q\x000'), ...Array.from({ length: 200 }, () => Uint8Array.of(0x68, 0, 0x68, 0, 0x86, 0x71, 0, 0x30)), ascii('h\x00'))),
  pickled('a tuple in a tuple, ten thousand deep', 'levels of nesting', () => concatenated(ascii(')'), new Uint8Array(10_000).fill(0x85))),
  pickled('two million empty dictionaries', 'at most 100000 containers', () => concatenated(ascii('('), repeated('}', 2_000_000), ascii('t'))),
  pickled('four million marks', 'at most 1000000 operations', () => repeated('(', 4_000_000)),
  pickled('a million remembered values', 'at most 200000 remembered values', () => concatenated(ascii('N'), new Uint8Array(1_000_000).fill(0x94))),
  pickled('a value that was never remembered', 'found none at 4294967295', Uint8Array.of(0x6a, 255, 255, 255, 255)),
  pickled('text of four billion bytes', 'more bytes', ascii('X'), little(2 ** 32 - 1, 4)),
  pickled('text of 2^64 − 1 bytes', 'more bytes', Uint8Array.of(0x8d), little(2n ** 64n - 1n, 8)),
  pickled('one key twice', 'every key once, found "x" twice', ascii('}('), pickle.text('x'), ascii('N'), pickle.text('x'), ascii('Nu')),
  pickled('more taken from the stack than is there', 'a value on the stack', ascii('0')),
  pickled('nothing at all', 'a value on the stack'),
  pickled('a view beyond its storage', 'tensor w: expected it to end inside its storage of 1 elements, found its end at 2', pickle.dictionary({ w: pickle.tensor('0', 1, [2], [1]) })),
  pickled('a view from before its storage', 'expected an offset', pickle.dictionary({ w: pickle.tensor('0', 1, [1], [1], -1) })),
  pickled('strides that run backwards', 'expected counts', pickle.dictionary({ w: pickle.tensor('0', 1, [1], [-1]) })),
  pickled('a storage larger than its member', 'tensor w: expected a storage of 8000000 bytes, found 4', pickle.dictionary({ w: pickle.tensor('0', 2_000_000, [2_000_000], [1]) })),
  pickled('a storage that leads out of the archive', 'expected a short key', pickle.dictionary({ w: pickle.tensor('../../etc/passwd', 1, [1], [1]) })),
  pickled('a storage that is not there', 'expected a member archive/data/9, found none', pickle.dictionary({ w: pickle.tensor('9', 1, [1], [1]) })),
  pickled('a tensor of more elements than a number can say', 'expected one stride for each axis', pickle.dictionary({ w: pickle.tensor('0', 1, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1], [0, 0, 0]) })),
  pickled('a tensor of seventeen axes', 'at most 16 axes', pickle.dictionary({ w: pickle.tensor('0', 1, Array<number>(17).fill(1), Array<number>(17).fill(1)) })),
  pickled('weights in two places', 'expected weights in one place', pickle.dictionary({ model: ascii('}'), state_dict: ascii('}') })),

  zip('a compressed member (a zip bomb is one)', 'found them compressed (method 8)', () => zipOf([{ name: 'archive/data.pkl', data: four, directory: { method: 8, size: 2 ** 31 } }])),
  zip('a member of another size than its bytes', 'expected one size', () => zipOf([{ name: 'archive/data.pkl', data: four, directory: { size: 2 ** 31 } }])),
  zip('an encrypted member', 'found them encrypted', () => zipOf([{ name: 'archive/data.pkl', data: four, directory: { flags: 1 } }])),
  zip('two members in the same bytes', 'overlapping, or truncated', () => members({ name: 'archive/data/0', data: four }, { name: 'archive/data/1', data: four, directory: { header: 48 } })),
  zip('one member twice', 'every zip member once', () => members({ name: 'archive/data.pkl', data: four })),
  zip('a member longer than the file', 'overlapping, or truncated', () => members({ name: 'archive/data/0', data: four, directory: { size: 2 ** 31, compressed: 2 ** 31 } })),
  zip('a member of 2^64 − 1 bytes', '64-bit length or place', () => members({ name: 'archive/data/0', data: four, directory: { size: 2 ** 32 - 1, compressed: 2 ** 32 - 1, extra: zip64([2n ** 64n - 1n, 2n ** 64n - 1n]) } })),
  zip('a member that names zip64 values and has none', 'expected a zip64 field of 2 values, found 0', () => members({ name: 'archive/data/0', data: four, directory: { size: 2 ** 32 - 1, compressed: 2 ** 32 - 1 } })),
  zip('a directory of 65,535 members that is not there', 'expected 65535 members', () => zipOf([], { count: 65_535 })),
  zip('a directory outside the file', 'expected a zip directory that ends before', () => zipOf([], { offset: 2 ** 32 - 2, size: 100 })),
  zip('a zip64 record outside the file', 'expected a zip64 end record', () => zipOf([], { before: concatenated(little(0x07064b50, 4), four, little(2n ** 50n, 8), four) })),
  zip('no end record', 'found no end record', () => concatenated(ascii('PK\x03\x04'), new Uint8Array(100_000))),
  zip('a hundred thousand end records that end nowhere', 'found no end record', () => repeated('PK\x05\x06', 100_000)),
  zip('no pickle', 'expected one data.pkl', () => zipOf([{ name: 'archive/other', data: four }])),
  zip('two pickles', 'expected one data.pkl', () => members({ name: 'another/data.pkl', data: four })),
  zip('a TorchScript program', 'TorchScript', () => members({ name: 'archive/constants.pkl', data: four })),
  zip('big-endian tensors', 'expected little-endian', () => members({ name: 'archive/byteorder', data: ascii('big') })),
  zip('a pickle of 9 MB', 'member archive/data.pkl: expected at most', () => zipOf([{ name: 'archive/data.pkl', data: repeated('N', 9_000_000) }])),
]
