/**
 * Reads a pickle without executing anything: a stack machine of the opcodes that dictionaries, lists, numbers and strings take, in which a
 * global is a name of a short list and calling it makes plain data. Everything is bounded; every way out is an error or a value.
 */

/** A name of the allowlist; without `call` it is a constant. */
export interface PickleGlobal {
  readonly kind: 'global'
  readonly name: string
  readonly call?: (args: readonly unknown[]) => unknown
}

/** What a pickle may refer to. */
export interface PickleNames {
  /** By "module name". */
  readonly globals: ReadonlyMap<string, PickleGlobal>
  /** The object that a persistent id stands for. */
  readonly persistent: (id: unknown) => unknown
}

/** A tuple, apart from a list; lists are arrays, dictionaries Maps. */
export class Tuple {
  readonly items: readonly unknown[]
  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/** Why a pickle was refused. */
export class PickleRefusal extends Error {}

const most = { operations: 1_000_000, containers: 100_000, memo: 200_000, depth: 64, nameBytes: 256 }

const mark = Symbol('mark')

/** The value that a pickle builds; PickleRefusal says what it holds that is not allowed, and at which byte. */
export const readPickle = (bytes: Uint8Array, names: PickleNames): unknown => {
  const value = new Machine(bytes, names).run()
  requireTree(value)
  return value
}

class Machine {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #names: PickleNames
  readonly #stack: unknown[] = []
  readonly #marks: number[] = []
  readonly #memo = new Map<number, unknown>()
  #at = 0
  #operations = 0
  #containers = 0

  constructor(bytes: Uint8Array, names: PickleNames) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#names = names
  }

  run(): unknown {
    for (;;) {
      if (++this.#operations > most.operations) this.refuse(`at most ${most.operations} operations`, 'more')
      const opcode = this.#number(1)
      if (opcode === stop) break
      const operation = operations.get(opcode)
      if (operation === undefined) this.refuse('operations that build dictionaries, lists and tensors', `opcode 0x${opcode.toString(16).padStart(2, '0')}`)
      else operation(this)
    }
    const value = this.pop()
    if (this.#stack.length > 0) this.refuse('one value', `${this.#stack.length + 1}`)
    return value
  }

  refuse(expected: string, found: string): never {
    throw new PickleRefusal(`expected ${expected}, found ${found.slice(0, 120)} at byte ${Math.max(0, this.#at - 1)} of the pickle`)
  }

  push(value: unknown): void {
    this.#stack.push(value)
  }

  pop(): unknown {
    if (this.#stack.length === 0 || this.#stack.at(-1) === mark) this.refuse('a value on the stack', 'none')
    return this.#stack.pop()
  }

  /** The value that stays on the stack while others are put into it. */
  top(): unknown {
    const value = this.pop()
    this.push(value)
    return value
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
    this.push(mark)
  }

  /** The values above the latest mark, which goes with them. */
  sinceMark(): unknown[] {
    const at = this.#marks.pop() ?? this.refuse('a mark on the stack', 'none')
    return this.#stack.splice(at).slice(1)
  }

  container<T>(value: T): T {
    if (++this.#containers > most.containers) this.refuse(`at most ${most.containers} containers`, 'more')
    return value
  }

  remember(index: number): void {
    if (this.#memo.size >= most.memo) this.refuse(`at most ${most.memo} remembered values`, 'more')
    this.#memo.set(index, this.top())
  }

  rememberNext(): void {
    this.remember(this.#memo.size)
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) this.refuse('a remembered value', `none at ${index}`)
    this.push(this.#memo.get(index))
  }

  appendTo(list: unknown, values: readonly unknown[]): void {
    if (!Array.isArray(list)) return this.refuse('a list to append to', describe(list))
    for (const value of values) list.push(value)
  }

  setIn(dictionary: unknown, pairs: readonly unknown[]): void {
    if (!(dictionary instanceof Map)) return this.refuse('a dictionary to write to', describe(dictionary))
    if (pairs.length % 2 !== 0) this.refuse('keys and values in pairs', `${pairs.length} of them`)
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i]
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean') this.refuse('keys that are strings or numbers', describe(key))
      if (dictionary.has(key)) this.refuse('every key once', `${JSON.stringify(key)} twice`)
      dictionary.set(key, pairs[i + 1])
    }
  }

  global(module: unknown, name: unknown): void {
    const full = `${String(module)} ${String(name)}`
    const found = typeof module === 'string' && typeof name === 'string' ? this.#names.globals.get(full) : undefined
    this.push(found ?? this.refuse('only names that weights need', `the global ${full.replace(' ', '.')}: nothing of it was executed`))
  }

  call(callee: unknown, args: unknown): void {
    if (!isGlobal(callee) || callee.call === undefined) return this.refuse('a name that makes a tensor or a dictionary', describe(callee))
    if (!(args instanceof Tuple)) return this.refuse('arguments in a tuple', describe(args))
    this.push(this.container(callee.call(args.items)))
  }

  persistent(id: unknown): void {
    this.push(this.container(this.#names.persistent(id)))
  }

  /** State that objects get after they are made (an OrderedDict's attributes, a parameter's) is of no use to weights. */
  build(): void {
    this.pop()
    const object = this.top()
    if (typeof object !== 'object' || object === null || isGlobal(object)) this.refuse('an object to give state to', describe(object))
  }

  /** An unsigned little-endian number of 1, 2, 4 or 8 bytes. */
  unsigned(bytes: 1 | 2 | 4 | 8): number {
    return this.#number(bytes)
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true)
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false)
  }

  /** A two's complement number of `length` bytes; a bigint beyond 2^53. */
  long(length: number): number | bigint {
    const bytes = this.raw(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
    const signed = BigInt.asIntN(8 * length, value)
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed
  }

  raw(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  text(length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.raw(length))
    } catch (error) {
      if (error instanceof PickleRefusal) throw error
      return this.refuse('text in UTF-8', 'other bytes')
    }
  }

  line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + most.nameBytes).indexOf(0x0a)
    if (end < 0) this.refuse(`a name of less than ${most.nameBytes} bytes`, 'a longer one, or the end')
    const text = this.text(end)
    this.#at++
    return text
  }

  #number(bytes: 1 | 2 | 4 | 8): number {
    const at = this.#advance(bytes)
    if (bytes === 1) return this.#view.getUint8(at)
    if (bytes === 2) return this.#view.getUint16(at, true)
    return bytes === 4 ? this.#view.getUint32(at, true) : Number(this.#view.getBigUint64(at, true))
  }

  #advance(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) this.refuse(`${length} more bytes`, `the end after ${this.#bytes.length - start}`)
    this.#at += length
    return start
  }
}

const stop = 0x2e

/** Opcodes under their names in Python's pickletools. A new one belongs here when torch.save writes it for plain weights. */
const operations = new Map<number, (machine: Machine) => void>([
  /* PROTO */ [0x80, (m) => { const protocol = m.unsigned(1); if (protocol > 5) m.refuse('a pickle of protocol 5 or less', `protocol ${protocol}`) }],
  /* FRAME */ [0x95, (m) => { m.unsigned(8) }],
  /* MARK */ [0x28, (m) => m.mark()],
  /* POP */ [0x30, (m) => { m.pop() }],
  /* NONE */ [0x4e, (m) => m.push(null)],
  /* NEWTRUE */ [0x88, (m) => m.push(true)],
  /* NEWFALSE */ [0x89, (m) => m.push(false)],
  /* BININT */ [0x4a, (m) => m.push(m.int32())],
  /* BININT1 */ [0x4b, (m) => m.push(m.unsigned(1))],
  /* BININT2 */ [0x4d, (m) => m.push(m.unsigned(2))],
  /* LONG1 */ [0x8a, (m) => m.push(m.long(m.unsigned(1)))],
  /* BINFLOAT */ [0x47, (m) => m.push(m.float64())],
  /* BINUNICODE */ [0x58, (m) => m.push(m.text(m.unsigned(4)))],
  /* SHORT_BINUNICODE */ [0x8c, (m) => m.push(m.text(m.unsigned(1)))],
  /* BINUNICODE8 */ [0x8d, (m) => m.push(m.text(m.unsigned(8)))],
  /* SHORT_BINSTRING */ [0x55, (m) => m.push(m.text(m.unsigned(1)))],
  /* SHORT_BINBYTES */ [0x43, (m) => m.push(m.raw(m.unsigned(1)))],
  /* BINBYTES */ [0x42, (m) => m.push(m.raw(m.unsigned(4)))],
  /* EMPTY_LIST */ [0x5d, (m) => m.push(m.container([]))],
  /* EMPTY_DICT */ [0x7d, (m) => m.push(m.container(new Map()))],
  /* EMPTY_TUPLE */ [0x29, (m) => m.push(m.container(new Tuple([])))],
  /* LIST */ [0x6c, (m) => m.push(m.container(m.sinceMark()))],
  /* DICT */ [0x64, (m) => { const pairs = m.sinceMark(); const made = m.container(new Map()); m.setIn(made, pairs); m.push(made) }],
  /* TUPLE */ [0x74, (m) => m.push(m.container(new Tuple(m.sinceMark())))],
  /* TUPLE1 */ [0x85, (m) => m.push(m.container(new Tuple([m.pop()])))],
  /* TUPLE2 */ [0x86, (m) => { const [b, a] = [m.pop(), m.pop()]; m.push(m.container(new Tuple([a, b]))) }],
  /* TUPLE3 */ [0x87, (m) => { const [c, b, a] = [m.pop(), m.pop(), m.pop()]; m.push(m.container(new Tuple([a, b, c]))) }],
  /* APPEND */ [0x61, (m) => { const value = m.pop(); m.appendTo(m.top(), [value]) }],
  /* APPENDS */ [0x65, (m) => { const values = m.sinceMark(); m.appendTo(m.top(), values) }],
  /* SETITEM */ [0x73, (m) => { const [value, key] = [m.pop(), m.pop()]; m.setIn(m.top(), [key, value]) }],
  /* SETITEMS */ [0x75, (m) => { const pairs = m.sinceMark(); m.setIn(m.top(), pairs) }],
  /* BINPUT */ [0x71, (m) => m.remember(m.unsigned(1))],
  /* LONG_BINPUT */ [0x72, (m) => m.remember(m.unsigned(4))],
  /* MEMOIZE */ [0x94, (m) => m.rememberNext()],
  /* BINGET */ [0x68, (m) => m.recall(m.unsigned(1))],
  /* LONG_BINGET */ [0x6a, (m) => m.recall(m.unsigned(4))],
  /* GLOBAL */ [0x63, (m) => { const module = m.line(); m.global(module, m.line()) }],
  /* STACK_GLOBAL */ [0x93, (m) => { const [name, module] = [m.pop(), m.pop()]; m.global(module, name) }],
  /* REDUCE */ [0x52, (m) => { const [args, callee] = [m.pop(), m.pop()]; m.call(callee, args) }],
  /* NEWOBJ */ [0x81, (m) => { const [args, callee] = [m.pop(), m.pop()]; m.call(callee, args) }],
  /* BUILD */ [0x62, (m) => m.build()],
  /* BINPERSID */ [0x51, (m) => m.persistent(m.pop())],
])

export const isGlobal = (value: unknown): value is PickleGlobal => typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'global'

/** A value in a word or two, for messages. */
export const describe = (value: unknown): string => {
  if (value === null || value === undefined) return 'None'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Map) return 'a dictionary'
  if (value instanceof Tuple) return 'a tuple'
  if (value instanceof Uint8Array) return 'bytes'
  if (isGlobal(value)) return `the global ${value.name}`
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

const childrenOf = (value: unknown): Iterable<unknown> | undefined => {
  if (Array.isArray(value)) return value as unknown[]
  if (value instanceof Map) return value.values()
  return value instanceof Tuple ? value.items : undefined
}

/** Refuses values that hold themselves, or nest deeper than weights do; a value may well stand in several places. */
const requireTree = (root: unknown): void => {
  const open = new Set<unknown>()
  const done = new Set<unknown>()
  const path: { value: unknown; children: Iterator<unknown> }[] = []
  const enter = (value: unknown): void => {
    const children = childrenOf(value)
    if (children === undefined || done.has(value)) return
    if (open.has(value)) throw new PickleRefusal(`expected values that do not hold themselves, found ${describe(value)} that does`)
    if (path.length >= most.depth) throw new PickleRefusal(`expected at most ${most.depth} levels of nesting, found more`)
    open.add(value)
    path.push({ value, children: children[Symbol.iterator]() })
  }
  enter(root)
  while (path.length > 0) {
    const { value, children } = path.at(-1)!
    const next = children.next()
    if (next.done !== true) enter(next.value)
    else {
      open.delete(value)
      done.add(value)
      path.pop()
    }
  }
}
