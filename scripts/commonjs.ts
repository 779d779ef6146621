/**
 * Makes a CommonJS module of a bundled ECMAScript module, for src/cli/compiled.ts. A bundler that is asked for CommonJS makes a
 * property of every name that one file takes from another, and a getter behind it; here a name stays a name. That needs files that do
 * not need each other in a circle, and names that are given once: both are looked at.
 */
import { parseAst } from 'rolldown/parseAst'

interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

const isSyntax = (value: unknown): value is Syntax =>
  typeof value === 'object' && value !== null && typeof (value as Syntax).type === 'string'

function* within(value: unknown): Generator<Syntax> {
  if (Array.isArray(value)) for (const one of value) yield* within(one)
  if (!isSyntax(value)) return
  yield value
  for (const field of Object.values(value)) if (typeof field === 'object') yield* within(field)
}

export function asCommonJs(code: string, file: string): string {
  const program = parseAst(code) as unknown as Syntax
  const given = new Set<string>()
  const edits = [...within(program)].flatMap((syntax) => editsOf(syntax, file, given))
  const mayChange = new Set(changeable(program).filter((name) => given.has(name)))
  for (const syntax of within(program)) refuseSecond(syntax, file, mayChange)
  let text = ''
  let at = 0
  for (const { start, end, text: instead } of edits.toSorted((a, b) => a.start - b.start)) {
    text += code.slice(at, start) + instead
    at = end
  }
  return `'use strict';${text}${code.slice(at)}`
}

const nameOf = (syntax: unknown): string => (syntax as { readonly name: string }).name

/** A file's name, in quotes; the bundler may write it as a template. */
function fileOf(syntax: unknown): string {
  const { value, quasis } = syntax as { value?: string; quasis?: readonly { readonly value: { cooked: string } }[] }
  const name = value ?? (quasis?.length === 1 ? quasis[0]!.value.cooked : undefined)
  if (name === undefined) throw new Error('a file that is only known when it is needed cannot be bundled')
  return JSON.stringify(name)
}

function editsOf(syntax: Syntax, file: string, given: Set<string>): readonly Edit[] {
  const { type, start, end } = syntax
  switch (type) {
    case 'ImportDeclaration':
      return [{ start, end, text: imported(syntax, file) }]
    case 'ExportNamedDeclaration':
      return [{ start, end, text: exported(syntax, file, given) }]
    case 'ExportDefaultDeclaration':
    case 'ExportAllDeclaration':
      throw new Error(`${file}: the bundler is not expected to write ${type}`)
    case 'ImportExpression':
      return [{ start, end, text: `Promise.resolve().then(()=>require(${fileOf(syntax['source'])}))` }]
    case 'MetaProperty':
      if (code(syntax) !== 'import.meta') return []
      return [{ start, end, text: `({url:process.getBuiltinModule('node:url').pathToFileURL(__filename).href})` }]
    default:
      return []
  }
}

const code = ({ meta, property }: Syntax): string => `${nameOf(meta)}.${nameOf(property)}`

function imported({ specifiers, source }: Syntax, file: string): string {
  const list = specifiers as readonly Syntax[]
  if (list.some(({ type }) => type !== 'ImportSpecifier')) throw new Error(`${file}: imports more than names`)
  const from = fileOf(source).startsWith('"node:') ? 'process.getBuiltinModule' : 'require'
  const names = list.map(({ imported: theirs, local }) => `${nameOf(theirs)}:${nameOf(local)}`)
  return `${names.length === 0 ? '' : `const{${names.join()}}=`}${from}(${fileOf(source)});`
}

function exported({ specifiers, declaration, source }: Syntax, file: string, given: Set<string>): string {
  if (declaration !== null || source !== null) throw new Error(`${file}: exports more than names`)
  return (specifiers as readonly Syntax[])
    .map(({ exported: theirs, local }) => {
      given.add(nameOf(local))
      return `exports.${nameOf(theirs)}=${nameOf(local)};`
    })
    .join('')
}

/** The variables of the file itself that are no constants. */
const changeable = ({ body }: Syntax): readonly string[] =>
  (body as readonly Syntax[])
    .filter(({ type, kind }) => type === 'VariableDeclaration' && kind !== 'const')
    .flatMap(({ declarations }) => (declarations as readonly Syntax[]).map(({ id }) => nameOf(id)))

/** A name that changes after the file has run would have changed for the others as well. */
function refuseSecond({ type, left, argument }: Syntax, file: string, mayChange: ReadonlySet<string>): void {
  const target = type === 'AssignmentExpression' ? left : type === 'UpdateExpression' ? argument : undefined
  if (!isSyntax(target) || target.type !== 'Identifier' || !mayChange.has(nameOf(target))) return
  throw new Error(`${file}: ${nameOf(target)} is exported and changes`)
}
