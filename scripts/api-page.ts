/**
 * docs/API.md from the sources: what each entry of the package exports, as it is declared, with its own comments. The page is held
 * equal to the sources by a test; `npm run docs:api` writes it anew. It reads text, not types: the house style (one
 * declaration at the margin, comments above it) is what makes that enough.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

const root = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface Declaration {
  readonly name: string
  readonly kind: 'function' | 'const' | 'class' | 'interface' | 'type'
  readonly doc: string
  /** Without bodies and private parts. */
  readonly text: string
  readonly source: string
}

const ENTRIES: readonly (readonly [entry: string, path: string, about: string])[] = [
  ['quorate', 'src/index.ts', 'Nodes, the libp2p service, and the documents of a cluster.'],
  ['quorate/testing', 'src/testing/index.ts', 'Clusters of real nodes in the process of a test (docs/TESTING.md).'],
  [
    'quorate/simulation',
    'src/simulation/index.ts',
    'The shipped code in virtual time, under faults (docs/SIMULATION.md).'
  ],
  [
    'quorate/conformance',
    'src/conformance/index.ts',
    'What an implementation of storage or transport must do, for any test runner.'
  ],
  ['quorate/raft', 'src/raft/index.ts', 'The consensus core alone: pure, one step at a time.']
]

// ── Finding declarations ────────────────────────────────────────────────────────────────────────────────────────────────

/** Names that a file exports, with the file that each comes from. */
function exportsOf(path: string): readonly (readonly [name: string, path: string])[] {
  const source = read(path)
  const found: (readonly [string, string, number])[] = []
  for (const { 1: names, 2: from, index } of source.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gm)) {
    const target = normalize(join(dirname(path), from!))
    for (const name of names!.split(',')) if (name.trim() !== '') found.push([name.trim(), target, index])
  }
  for (const { 1: name, index } of source.matchAll(
    /^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm
  )) {
    found.push([name!, path, index])
  }
  for (const { 1: from, index } of source.matchAll(/^export \* from '([^']+)'/gm)) {
    for (const [name, at] of exportsOf(normalize(join(dirname(path), from!)))) found.push([name, at, index])
  }
  return found.toSorted((a, b) => a[2] - b[2]).map(([name, from]) => [name, from])
}

function declarationOf(name: string, path: string): Declaration {
  const source = read(path)
  const start = new RegExp(
    `^export (?:async )?(?:abstract )?(function|const|class|interface|type) ${name}\\b`,
    'm'
  ).exec(source)
  if (start === null) {
    const next = exportsOf(path).find(([known, from]) => known === name && from !== path)
    if (next === undefined) throw new Error(`${path} does not declare ${name}`)
    return declarationOf(name, next[1])
  }
  const kind = start[1] as Declaration['kind']
  const after = source.slice(start.index).replace(/^export (?:async )?/, '')
  return { name, kind, doc: docBefore(source, start.index), text: textOf(kind, after), source: path }
}

/** The comment that ends right above this place, as plain lines. */
function docBefore(source: string, at: number): string {
  const before = source.slice(0, at).trimEnd()
  if (!before.endsWith('*/') || source.slice(before.length, at).includes('\n\n')) return ''
  const comment = before.slice(before.lastIndexOf('/**'))
  return comment
    .replace(/^\/\*\*/, '')
    .replace(/\*\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join('\n')
    .trim()
}

// ── Declarations without their insides ──────────────────────────────────────────────────────────────────────────────────

function textOf(kind: Declaration['kind'], source: string): string {
  if (kind === 'interface') return source.slice(0, closing(source, source.indexOf('{')) + 1)
  if (kind === 'type') return source.slice(0, blockEnd(source)).trimEnd()
  if (kind === 'const') return constText(source)
  if (kind === 'function') return source.slice(0, bodyStart(source)).trimEnd()
  return classText(source)
}

const blockEnd = (source: string): number => {
  const end = /\n\n(?=\S)/.exec(source)
  return end === null ? source.length : end.index
}

/** The bracket that closes the one at `open`; texts and comments are passed over. */
function closing(source: string, open: number): number {
  let depth = 0
  for (let i = open; i < source.length; i++) {
    const rest = source.slice(i, i + 2)
    if (rest === '//') i = source.indexOf('\n', i)
    else if (rest === '/*') i = source.indexOf('*/', i) + 1
    else if ('\'`"'.includes(source[i]!)) i = endOfText(source, i)
    else if ('({['.includes(source[i]!)) depth++
    else if (')}]'.includes(source[i]!) && --depth === 0) return i
  }
  throw new Error(`a bracket is not closed: ${source.slice(open, open + 60)}`)
}

function endOfText(source: string, from: number): number {
  let i = from + 1
  while (source[i] !== source[from]) i += source[i] === '\\' ? 2 : 1
  return i
}

/** Of a function or method: the brace that begins its body, which is the last thing on its line. */
function bodyStart(source: string): number {
  let i = source.indexOf('(')
  i = closing(source, i)
  for (i++; i < source.length; i++) {
    if (source[i] === '{' && source[i + 1] === '\n' && /[>)\w\]}]\s*$/.test(source.slice(0, i))) return i
    if (source.startsWith('{}', i)) return i
    if ('({['.includes(source[i]!)) i = closing(source, i)
  }
  throw new Error(`there is no body: ${source.slice(0, 60)}`)
}

function constText(source: string): string {
  const head = /^const \w+(: [^=\n]+)? =\s*/.exec(source)![0]
  if (head.includes(': ')) return head.replace(/ =\s*$/, '')
  const value = source.slice(head.length)
  if (value.startsWith('(') || value.startsWith('async (')) return `${head.trimEnd()} ${arrows(value)}`
  if ('[{'.includes(value[0]!)) return `${head}${value.slice(0, closing(value, 0) + 1)}`
  return source.slice(0, source.indexOf('\n'))
}

/** Parameters and results, also of a function that makes a function. */
function arrows(source: string): string {
  const end = source.indexOf('=>', closing(source, source.indexOf('(')))
  const rest = source.slice(end + 2).trimStart()
  const more = rest.startsWith('(') && /^\s*(?::|=>)/.test(rest.slice(closing(rest, 0) + 1))
  return more ? `${source.slice(0, end).trimEnd()} => ${arrows(rest)}` : source.slice(0, end).trimEnd()
}

/** The head, and what everybody may call, without bodies. */
function classText(source: string): string {
  const open = source.indexOf('{\n')
  const body = source.slice(open + 2, closing(source, open))
  const members = membersOf(body).filter(
    (text) =>
      !/^(?:(?:private|protected|static) |#|\/\/)/.test(
        text.replace(/^\/\*\*[^]*?\*\/\s*/, '').replace(/^(?:readonly|async|get) /, '')
      )
  )
  return `${source.slice(0, open + 1)}\n${members.map((text) => `  ${text}`).join('\n')}\n}`
}

function membersOf(body: string): readonly string[] {
  const found: string[] = []
  let rest = body
  while (rest.trim() !== '') {
    rest = rest.replace(/^\s*(?:\/\/[^\n]*\n\s*)*/, '')
    if (rest === '') break
    const doc = /^\/\*\*[^]*?\*\/\s*/.exec(rest)?.[0] ?? ''
    const code = rest.slice(doc.length)
    const isField = /^(?:private |protected |static |override |readonly |abstract )*[#\w]+[?!]?(?::|\s*=|\n)/.test(code)
    const until = isField ? fieldEnd(code) : bodyStart(code)
    const text = code.slice(0, until).replace(isField ? / = [^]*$/ : /\s+$/, '')
    found.push(`${doc}${text.replace(/^override /, '')}`.trimEnd())
    const end = isField ? until : closing(code, until) + 1
    rest = code.slice(end)
  }
  return found
}

/** A field ends with its line, unless a bracket is open there. */
function fieldEnd(code: string): number {
  for (let i = 0; i < code.length; i++) {
    if (code[i] === '\n') return i
    if ('\'`"'.includes(code[i]!)) i = endOfText(code, i)
    else if ('({['.includes(code[i]!)) i = closing(code, i)
  }
  return code.length
}

// ── The page ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const isError = ({ kind, name }: Declaration): boolean => kind === 'class' && name.endsWith('Error')

function errorRow({ name, source, doc }: Declaration): string {
  const text = read(source)
  const body = text.slice(text.indexOf(`class ${name} `))
  const own = body.slice(0, closing(body, body.indexOf('{\n')))
  const code = new RegExp(`'${name}',\\s*'(ERR_[A-Z_]+)'`).exec(own)?.[1]
  const next = /nextStep:\s*(?:'((?:[^'\\]|\\.)*)'|`([^`]*)`)/.exec(own)
  const step =
    next === null
      ? 'its `nextStep` says'
      : (next[1] ?? next[2]!).replaceAll(/\$\{[^}]*\}(?=.)/g, '…').replaceAll(/\$\{[^}]*\}/g, '')
  const when = doc.replaceAll('\n', ' ')
  return `| \`${name}\` | ${code === undefined ? 'of its own' : `\`${code}\``} | ${cell(when)} | ${cell(step)} |`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

function section([entry, path, about]: (typeof ENTRIES)[number]): string {
  const all = exportsOf(path).map(([name, from]) => declarationOf(name, from))
  const errors = all.filter(isError)
  const rest = all.filter((one) => !isError(one) && one.name !== 'NODE_OLDEST')
  const parts = [`## \`${entry}\``, about]
  for (const one of rest) {
    parts.push(`### ${one.name}`)
    if (one.doc !== '') parts.push(one.doc)
    parts.push('```ts\n' + one.text + '\n```')
  }
  if (errors.length > 0) {
    const head = '| error | code | when | next step |\n| --- | --- | --- | --- |'
    parts.push(`### Errors of \`${entry}\``, `${head}\n${errors.map(errorRow).join('\n')}`)
  }
  return parts.join('\n\n')
}

const INTRODUCTION = `<!-- Written by scripts/api-page.ts from the sources; change the comments there. -->

# API

Every name that the package exports, as it is declared, with its own comments. Times are in milliseconds (\`…Ms\`), sizes in bytes
(\`…Bytes\`), dates in milliseconds since the epoch. Options are checked when they are given: what breaks a rule is an
\`InvalidOptionError\` that names the value, and nothing was done. Every call that waits takes \`{ signal }\`.

Errors carry \`name\`, \`code\`, \`details\` and \`nextStep\`; switch on the code. [docs/protocol/codes.md](protocol/codes.md) lists all codes,
also those that only the command or the protocol uses.

Events are those of \`NodeEvent\`, below: \`quorate up --json\` writes the same objects, a line each, with the same names of fields. Each comes
as a \`CustomEvent\` under its own name, and all of them under \`*\`; \`detail\` is the object.

Each entry also exports \`NODE_OLDEST\`, the oldest Node.js that it runs on; on an older one importing it throws a sentence.`

/** As prettier leaves it, which is how it lies in the repository. */
export async function apiPage(): Promise<string> {
  const path = join(root, 'docs/API.md')
  const text = `${[INTRODUCTION, ...ENTRIES.map(section)].join('\n\n')}\n`
  return format(text, { ...(await resolveConfig(path)), filepath: path })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, 'docs/API.md'), await apiPage())
