/**
 * JSON from strangers: as JSON.parse, but nesting and the number of values are bounded, and a key that stands twice in one object is an
 * error instead of a silent choice.
 */
export interface JsonBounds {
  readonly depth: number
  readonly values: number
}

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const spacePattern = /[ \t\n\r]*/y
const literals = [['true', true], ['false', false], ['null', null]] as const

/** SyntaxError says what was found, and where; depth and values as `bounds` allow. */
export const parseStrictJson = (text: string, bounds: JsonBounds): unknown => {
  const reader = new Reader(text, bounds)
  const value = reader.value(0)
  reader.end()
  return value
}

class Reader {
  readonly #text: string
  readonly #bounds: JsonBounds
  #at = 0
  #values = 0

  constructor(text: string, bounds: JsonBounds) {
    this.#text = text
    this.#bounds = bounds
  }

  value(depth: number): unknown {
    if (++this.#values > this.#bounds.values) this.#refuse(`more than ${this.#bounds.values} values`)
    this.#skipSpace()
    const character = this.#text[this.#at]
    if (character === '{') return this.#object(this.#deeper(depth))
    if (character === '[') return this.#array(this.#deeper(depth))
    if (character === '"') return this.#string()
    for (const [name, value] of literals) {
      if (!this.#text.startsWith(name, this.#at)) continue
      this.#at += name.length
      return value
    }
    return Number(this.#match(numberPattern) ?? this.#complain('a JSON value'))
  }

  end(): void {
    this.#skipSpace()
    if (this.#at < this.#text.length) this.#complain('the end')
  }

  #deeper(depth: number): number {
    if (depth >= this.#bounds.depth) this.#refuse(`more than ${this.#bounds.depth} levels of nesting`)
    this.#at++
    return depth + 1
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = []
    if (this.#take(']')) return items
    do items.push(this.value(depth))
    while (this.#take(','))
    if (!this.#take(']')) this.#complain(', or ]')
    return items
  }

  #object(depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>()
    if (this.#take('}')) return {}
    do {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') this.#complain('a key')
      const key = this.#string()
      if (entries.has(key)) this.#refuse(`the key ${JSON.stringify(key).slice(0, 80)} twice`)
      if (!this.#take(':')) this.#complain(':')
      entries.set(key, this.value(depth))
    } while (this.#take(','))
    if (!this.#take('}')) this.#complain(', or }')
    return Object.fromEntries(entries)
  }

  #string(): string {
    const start = this.#at
    let end = start + 1
    let plain = true
    for (; end < this.#text.length && this.#text[end] !== '"'; end++) {
      if (this.#text[end] === '\\') end++
      else if (this.#text.charCodeAt(end) >= 0x20) continue
      plain = false
    }
    if (end >= this.#text.length) this.#complain('a string that ends')
    try {
      // Escapes and control characters are JSON.parse's to judge.
      const value = plain ? this.#text.slice(start + 1, end) : (JSON.parse(this.#text.slice(start, end + 1)) as string)
      this.#at = end + 1
      return value
    } catch {
      return this.#complain('a string without control characters and with valid escapes')
    }
  }

  #take(character: string): boolean {
    this.#skipSpace()
    const found = this.#text[this.#at] === character
    if (found) this.#at++
    return found
  }

  #skipSpace(): void {
    this.#match(spacePattern)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    if (found !== undefined) this.#at += found.length
    return found
  }

  #complain(expected: string): never {
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text.slice(this.#at, this.#at + 12)) : 'the end'
    return this.#refuse(`${found} where ${expected} should be`)
  }

  #refuse(found: string): never {
    throw new SyntaxError(`${found}, at character ${this.#at}`)
  }
}
