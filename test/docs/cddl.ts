/**
 * A validator for the part of CDDL (RFC 8610) that docs/PROTOCOL.md and its chapters are written in: arrays, maps, groups, choices,
 * occurrences, ranges, literals, generics, enumerations, and the controls `.size`, `.cbor` and `.gt`. It works on values that our
 * own decoder has read. One departure, said in the docs: the size of a text counts UTF-16 code units.
 *
 * It also remembers which alternatives, optional entries and literals it ever took: what no real encoding ever takes is in the
 * docs and not in the code.
 */
import { type CborValue, CborError, decodeCbor } from '../../src/core/cbor.ts'

type Node =
  | { readonly is: 'name'; readonly name: string; readonly args: readonly Node[] }
  | { readonly is: 'literal'; readonly value: string | number | boolean | null; readonly at: string }
  | { readonly is: 'range'; readonly from: number; readonly to: number }
  | { readonly is: 'choice'; readonly of: readonly Node[]; readonly at: string }
  | { readonly is: 'array' | 'map' | 'group' | 'enum'; readonly group: Group }
  | { readonly is: 'control'; readonly of: Node; readonly control: string; readonly by: Node }

interface Entry {
  readonly least: number
  readonly most: number
  /** Of a map entry; a bare word is a label in an array. */
  readonly key: Node | undefined
  readonly node: Node
  readonly at: string
}

type Group = readonly (readonly Entry[])[]

interface Rule {
  readonly parameters: readonly string[]
  readonly node: Node
}

/** Places of the docs that a value took: `file:line`. */
export type Taken = Set<string>

const TOKEN = /;[^\n]*|"[^"]*"|\.\.|\.[a-z]+|=>|\/\/|-?\d+|[A-Za-z_$@][\w$@-]*|[=/:,<>()[\]{}?*+&]|\n/g

class Tokens {
  readonly #all: { readonly text: string; readonly line: number }[] = []
  readonly #file: string
  #at = 0

  constructor(file: string, source: string, firstLine: number) {
    this.#file = file
    let line = firstLine
    for (const [text] of source.matchAll(TOKEN)) {
      if (text === '\n') line++
      else if (!text.startsWith(';')) this.#all.push({ text, line })
    }
  }

  peek(ahead = 0): string | undefined {
    return this.#all[this.#at + ahead]?.text
  }

  get where(): string {
    return `${this.#file}:${this.#all[this.#at]?.line ?? 'end'}`
  }

  next(expected?: string): string {
    const text = this.#all[this.#at]?.text
    if (text === undefined || (expected !== undefined && text !== expected)) {
      throw new Error(`${this.where}: ${text ?? 'the end'} instead of ${expected ?? 'more'}`)
    }
    this.#at++
    return text
  }

  take(text: string): boolean {
    if (this.peek() !== text) return false
    this.#at++
    return true
  }
}

const isWord = (text: string | undefined): boolean => text !== undefined && /^[A-Za-z_$@]/.test(text)

class Parser {
  readonly #tokens: Tokens
  readonly rules = new Map<string, Rule>()

  constructor(file: string, source: string, firstLine: number) {
    this.#tokens = new Tokens(file, source, firstLine)
    while (this.#tokens.peek() !== undefined) this.#rule()
  }

  #rule(): void {
    const t = this.#tokens
    const name = t.next()
    const parameters: string[] = []
    if (t.take('<')) {
      do parameters.push(t.next())
      while (t.take(','))
      t.next('>')
    }
    t.next('=')
    this.rules.set(name, { parameters, node: this.#startsGroup() ? this.#groupRule() : this.#type() })
  }

  /** `name = (a, b) // (c)` is a group; parentheses around a type alone do not occur at the head of a rule. */
  #startsGroup(): boolean {
    return this.#tokens.peek() === '('
  }

  #groupRule(): Node {
    const alternatives: (readonly Entry[])[] = []
    do {
      const { group } = this.#parenthesized()
      alternatives.push(...group)
    } while (this.#tokens.take('//'))
    return { is: 'group', group: alternatives }
  }

  #parenthesized(): { readonly is: 'group'; readonly group: Group } {
    this.#tokens.next('(')
    const group = this.#group(')')
    return { is: 'group', group }
  }

  #type(): Node {
    const at = this.#tokens.where
    const of = [this.#controlled()]
    while (this.#tokens.take('/')) of.push(this.#controlled())
    return of.length === 1 ? of[0]! : { is: 'choice', of, at }
  }

  #controlled(): Node {
    const node = this.#single()
    const control = this.#tokens.peek()
    if (control?.startsWith('.') !== true || control === '..') return node
    this.#tokens.next()
    return { is: 'control', of: node, control: control.slice(1), by: this.#single() }
  }

  #single(): Node {
    const t = this.#tokens
    const at = t.where
    const text = t.peek()
    if (text === '[') return (t.next(), { is: 'array', group: this.#group(']') })
    if (text === '{') return (t.next(), { is: 'map', group: this.#group('}') })
    if (text === '&') return (t.next(), t.next('('), { is: 'enum', group: this.#group(')') })
    if (text === '(') return this.#range(this.#parenthesized())
    t.next()
    if (text!.startsWith('"')) return { is: 'literal', value: text!.slice(1, -1), at }
    if (/^-?\d/.test(text!)) {
      const from = Number(text)
      return t.take('..') ? { is: 'range', from, to: Number(t.next()) } : { is: 'literal', value: from, at }
    }
    const constants: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null }
    const constant = constants[text!]
    if (constant !== undefined) return { is: 'literal', value: constant, at }
    const args: Node[] = []
    if (t.take('<')) {
      do args.push(this.#type())
      while (t.take(','))
      t.next('>')
    }
    return { is: 'name', name: text!, args }
  }

  /** `(1..128)` behind a control is a range in parentheses. */
  #range(node: { readonly is: 'group'; readonly group: Group }): Node {
    const only = node.group.length === 1 && node.group[0]!.length === 1 ? node.group[0]![0]! : undefined
    return only?.node.is === 'range' && only.key === undefined ? only.node : node
  }

  #group(end: string): Group {
    const t = this.#tokens
    const alternatives: Entry[][] = [[]]
    while (!t.take(end)) {
      if (t.take('//')) alternatives.push([])
      else {
        alternatives.at(-1)!.push(this.#entry())
        t.take(',')
      }
    }
    return alternatives
  }

  #entry(): Entry {
    const t = this.#tokens
    const at = t.where
    const [least, most] = this.#occurrence()
    let key: Node | undefined
    if (t.peek(1) === ':' || t.peek(1) === '=>') {
      const text = t.peek()!
      key = isWord(text) ? (t.next(), undefined) : this.#single()
      t.next()
    }
    return { least, most, key, node: this.#type(), at }
  }

  #occurrence(): readonly [number, number] {
    const t = this.#tokens
    if (t.take('?')) return [0, 1]
    if (t.take('+')) return [1, Infinity]
    const hasLeast = /^\d+$/.test(t.peek() ?? '') && t.peek(1) === '*'
    const least = hasLeast ? Number(t.next()) : 0
    if (!t.take('*')) return [1, 1]
    return [least, /^\d+$/.test(t.peek() ?? '') ? Number(t.next()) : Infinity]
  }
}

type Scope = ReadonlyMap<string, Node>

const PRELUDE: Readonly<Record<string, (value: CborValue) => boolean>> = {
  uint: (value) => typeof value === 'number' && value >= 0,
  int: (value) => typeof value === 'number',
  bool: (value) => typeof value === 'boolean',
  tstr: (value) => typeof value === 'string',
  bstr: (value) => value instanceof Uint8Array,
  bytes: (value) => value instanceof Uint8Array,
  any: () => true
}

/** The grammar of several chapters. A name means the rule of its own chapter, or of the only other one that has it. */
export class Cddl {
  readonly #files = new Map<string, Map<string, Rule>>()
  /** Alternatives, optional entries and literals, as `file:line what`. */
  readonly #places = new Set<string>()

  /** Reads the ```cddl blocks of a page. */
  add(file: string, markdown: string): void {
    const rules = this.#files.get(file) ?? new Map<string, Rule>()
    this.#files.set(file, rules)
    for (const match of markdown.matchAll(/^```cddl\n([\s\S]*?)^```/gm)) {
      const firstLine = markdown.slice(0, match.index).split('\n').length + 1
      for (const [name, rule] of new Parser(file, match[1]!, firstLine).rules) rules.set(name, rule)
    }
  }

  names(file: string): readonly string[] {
    return [...(this.#files.get(file)?.keys() ?? [])]
  }

  /** Why the value is not what the rule says; undefined when it is. `taken` gathers the places that it went through. */
  problem(file: string, name: string, value: CborValue, taken?: Taken): string | undefined {
    const trail = new Set<string>()
    const fits = this.#fits(file, { is: 'name', name, args: [] }, value, new Map(), trail)
    if (!fits) return `not a ${name} of ${file}`
    for (const place of trail) taken?.add(place)
    return undefined
  }

  /** Every rule, alternative and optional entry that is below these rules. */
  places(file: string, name: string): ReadonlySet<string> {
    this.#places.clear()
    this.#collect(file, { is: 'name', name, args: [] }, new Map(), new Set())
    return new Set(this.#places)
  }

  #find(file: string, name: string): { readonly file: string; readonly rule: Rule } {
    const own = this.#files.get(file)?.get(name)
    if (own !== undefined) return { file, rule: own }
    const others = [...this.#files].filter(([, rules]) => rules.has(name))
    if (others.length !== 1) throw new Error(`${file}: ${name} is defined in ${others.length} other chapters`)
    const [[other, rules]] = others as [[string, Map<string, Rule>]]
    return { file: other, rule: rules.get(name)! }
  }

  #fits(file: string, node: Node, value: CborValue, scope: Scope, trail: Taken): boolean {
    switch (node.is) {
      case 'literal':
        return node.value === value && (trail.add(placeOf(node)), true)
      case 'range':
        return typeof value === 'number' && value >= node.from && value <= node.to
      case 'choice':
        return node.of.some((one, i) =>
          this.#tries(trail, (own) => {
            if (!this.#fits(file, one, value, scope, own)) return false
            own.add(`${node.at} alternative ${i + 1}`)
            return true
          })
        )
      case 'name':
        return this.#named(file, node, value, scope, trail)
      case 'control':
        return this.#fits(file, node.of, value, scope, trail) && this.#controls(file, node, value, scope, trail)
      case 'enum':
        return node.group.some((entries) => entries.some((entry) => this.#fits(file, entry.node, value, scope, trail)))
      case 'array':
        return Array.isArray(value) && this.#items(file, node.group, value as readonly CborValue[], scope, trail)
      case 'map':
        return (
          value instanceof Map &&
          this.#fields(file, node.group, value as ReadonlyMap<CborValue, CborValue>, scope, trail)
        )
      case 'group':
        return this.#items(file, node.group, [value], scope, trail)
    }
  }

  /** What a failed attempt went through does not count. */
  #tries(trail: Taken, attempt: (own: Taken) => boolean): boolean {
    const own = new Set<string>()
    if (!attempt(own)) return false
    for (const place of own) trail.add(place)
    return true
  }

  #named(file: string, node: Extract<Node, { is: 'name' }>, value: CborValue, scope: Scope, trail: Taken): boolean {
    const { name, args } = node
    const bound = scope.get(name)
    if (bound !== undefined) return this.#fits(file, bound, value, new Map(), trail)
    const prelude = PRELUDE[name]
    if (prelude !== undefined) return prelude(value)
    const found = this.#find(file, name)
    const inner = new Map(found.rule.parameters.map((parameter, i) => [parameter, args[i]!]))
    return this.#fits(found.file, found.rule.node, value, inner, trail)
  }

  #controls(
    file: string,
    { control, by }: Extract<Node, { is: 'control' }>,
    value: CborValue,
    scope: Scope,
    trail: Taken
  ): boolean {
    switch (control) {
      case 'size': {
        const size = typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : NaN
        return by.is === 'range' ? size >= by.from && size <= by.to : by.is === 'literal' && size === by.value
      }
      case 'gt':
        return by.is === 'literal' && typeof value === 'number' && value > Number(by.value)
      case 'cbor': {
        const inner = value instanceof Uint8Array ? decoded(value) : undefined
        return inner !== undefined && this.#fits(file, by, inner.value, scope, trail)
      }
      default:
        throw new Error(`${file}: the control .${control} is not known`)
    }
  }

  #items(file: string, group: Group, items: readonly CborValue[], scope: Scope, trail: Taken): boolean {
    return group.some((entries, i) =>
      this.#tries(trail, (own) => {
        const isAll = this.#from(file, entries, 0, items, 0, 0, scope, own, (end) => end === items.length)
        if (isAll) own.add(`${alternativeOf(entries)} group ${i + 1}`)
        return isAll
      })
    )
  }

  /** Matches items from `at` on, `count` times the present entry already; `then` decides about the rest. */
  #from(
    file: string,
    entries: readonly Entry[],
    place: number,
    items: readonly CborValue[],
    at: number,
    count: number,
    scope: Scope,
    trail: Taken,
    then: (end: number, trail: Taken) => boolean
  ): boolean {
    const entry = entries[place]
    if (entry === undefined) return then(at, trail)
    const { least, most, node } = entry
    if (most > 1 && place === entries.length - 1 && this.#inline(file, node, scope) === undefined) {
      // The last entry takes all that it can: a long list is no deep recursion.
      let end = at
      while (end < items.length && end - at < most && this.#fits(file, node, items[end]!, scope, trail)) end++
      if (end > at && least === 0) trail.add(`${entry.at} present`)
      return end - at >= least && then(end, trail)
    }
    const once = (own: Taken): boolean => {
      const go = (end: number, further: Taken): boolean =>
        this.#from(file, entries, place, items, end, count + 1, scope, further, then)
      const inline = this.#inline(file, node, scope)
      if (inline === undefined) {
        if (at >= items.length || !this.#fits(file, node, items[at]!, scope, own)) return false
        if (least === 0) own.add(`${entry.at} present`)
        return go(at + 1, own)
      }
      return inline.group.some((inner, i) =>
        this.#tries(own, (further) => {
          further.add(`${alternativeOf(inner)} group ${i + 1}`)
          return this.#from(inline.file, inner, 0, items, at, 0, inline.scope, further, go)
        })
      )
    }
    if (count < most && this.#tries(trail, once)) return true
    return count >= least && this.#from(file, entries, place + 1, items, at, 0, scope, trail, then)
  }

  /** A group stands for its entries, not for an item. */
  #inline(
    file: string,
    node: Node,
    scope: Scope
  ): { readonly file: string; readonly group: Group; readonly scope: Scope } | undefined {
    if (node.is === 'group') return { file, group: node.group, scope }
    if (node.is !== 'name' || node.name in PRELUDE || scope.has(node.name)) return undefined
    const found = this.#find(file, node.name)
    return found.rule.node.is === 'group'
      ? { file: found.file, group: found.rule.node.group, scope: new Map() }
      : undefined
  }

  #fields(file: string, group: Group, map: ReadonlyMap<CborValue, CborValue>, scope: Scope, trail: Taken): boolean {
    return this.#flat(file, group).some((entries) =>
      this.#tries(trail, (own) => {
        const known = new Set<CborValue>()
        for (const { least, key, node, at } of entries) {
          const name = key?.is === 'literal' ? key.value : undefined
          if (name === undefined) throw new Error(`${at}: a map entry without a key`)
          known.add(name)
          const value = map.get(name)
          if (value === undefined ? least > 0 : !this.#fits(file, node, value, scope, own)) return false
          if (least === 0 && value !== undefined) own.add(`${at} present`)
          if (least === 0 && value === undefined) own.add(`${at} absent`)
        }
        own.add(`${alternativeOf(entries)} fields`)
        return [...map.keys()].every((key) => known.has(key))
      })
    )
  }

  /** Alternatives of a map, with the groups that stand in it written out. */
  #flat(file: string, group: Group): readonly (readonly Entry[])[] {
    return group.flatMap((entries) => {
      let all: readonly (readonly Entry[])[] = [[]]
      for (const entry of entries) {
        const inline = entry.key === undefined ? this.#inline(file, entry.node, new Map()) : undefined
        const parts = inline === undefined ? [[entry]] : this.#flat(inline.file, inline.group)
        all = all.flatMap((before) => parts.map((part) => [...before, ...part]))
      }
      return all
    })
  }

  #collect(file: string, node: Node, scope: Scope, seen: Set<Node>): void {
    const below = (next: Node): void => this.#collect(file, next, scope, seen)
    switch (node.is) {
      case 'literal':
        this.#places.add(placeOf(node))
        return
      case 'range':
        return
      case 'choice':
        for (const [i, one] of node.of.entries()) {
          this.#places.add(`${node.at} alternative ${i + 1}`)
          below(one)
        }
        return
      case 'control':
        below(node.of)
        if (node.control === 'cbor') below(node.by)
        return
      case 'name': {
        const bound = scope.get(node.name)
        if (bound !== undefined) return this.#collect(file, bound, new Map(), seen)
        if (node.name in PRELUDE) return
        const found = this.#find(file, node.name)
        if (found.rule.parameters.length === 0 && seen.has(found.rule.node)) return
        seen.add(found.rule.node)
        const inner = new Map(found.rule.parameters.map((parameter, i) => [parameter, node.args[i]!]))
        return this.#collect(found.file, found.rule.node, inner, seen)
      }
      case 'map':
        for (const entries of this.#flat(file, node.group)) {
          this.#places.add(`${alternativeOf(entries)} fields`)
          for (const entry of entries) {
            if (entry.least === 0) for (const how of ['present', 'absent']) this.#places.add(`${entry.at} ${how}`)
            below(entry.node)
          }
        }
        return
      case 'array':
      case 'group':
      case 'enum':
        for (const [i, entries] of node.group.entries()) {
          if (node.is !== 'enum') this.#places.add(`${alternativeOf(entries)} group ${i + 1}`)
          for (const entry of entries) {
            if (entry.least === 0 && node.is !== 'enum') {
              const isInline = this.#inline(file, entry.node, scope) !== undefined
              if (!isInline) this.#places.add(`${entry.at} present`)
            }
            below(entry.node)
          }
        }
    }
  }
}

const placeOf = ({ at, value }: Extract<Node, { is: 'literal' }>): string => `${at} ${JSON.stringify(value)}`
const alternativeOf = (entries: readonly Entry[]): string => entries[0]?.at ?? 'nowhere'

function decoded(bytes: Uint8Array): { readonly value: CborValue } | undefined {
  try {
    return { value: decodeCbor(bytes) }
  } catch (error) {
    if (error instanceof CborError) return undefined
    throw error
  }
}
