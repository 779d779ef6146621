/** `quorate inspect` for people: one fact a line. Pure. */
import type { JsonValue } from '../../core/json.ts'
import type { inspectDocument } from '../../identity/index.ts'
import { printable, table, widthOf, wrap } from './text.ts'

export interface Described extends ReturnType<typeof inspectDocument> {
  /** The file that it was verified against, when nobody named one. */
  readonly genesis?: string
}

export function descriptionLines(described: Described, columns: number): readonly string[] {
  const { type, facts, genesis, verified, reason } = described
  const rows = [
    ['type', type],
    ...Object.entries(facts).flatMap(([name, value]) => flat(name, value)),
    ...(genesis === undefined ? [] : [['genesis', genesis]])
  ]
  const width = Math.max(VERDICT.length, ...rows.map(([name]) => widthOf(name)))
  const [first = '', ...rest] = wrap(`${verified} (${printable(reason)})`, columns - width - 2)
  const verdict = [[VERDICT, first], ...rest.map((line) => ['', line])]
  return table([...rows.map((row) => row.map(printable)), ...(type === 'key' ? [] : verdict)])
}

const VERDICT = 'verified'

/** Lists and their items line by line, each under its path: `roster[0].seat`. */
function flat(name: string, value: JsonValue): readonly (readonly [string, string])[] {
  if (typeof value === 'string') return [[name, value]]
  if (typeof value !== 'object' || value === null) return [[name, JSON.stringify(value)]]
  if (Array.isArray(value)) {
    if (value.length === 0) return [[name, 'none']]
    return value.flatMap((item: JsonValue, i) => flat(`${name}[${i}]`, item))
  }
  return Object.entries(value).flatMap(([key, item]) => flat(`${name}.${key}`, item))
}
