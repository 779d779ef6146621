/** docs/protocol/codes.md lists every code that a program may switch on, and no other. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.ts'
import { REFUSAL_CODES } from '../../src/membership/admission.ts'
import { stageOrder } from '../../src/observability/stages.ts'
import { REFUSAL_CODES as CONSENSUS_CODES } from '../../src/raft/types.ts'
import { MEMBER_REFUSAL_CODES } from '../../src/replica/member-changes.ts'
import { ALARM_CODES, REQUEST_CODES } from '../../src/replica/types.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(root, 'docs/protocol/codes.md'), 'utf8')

/** The rows of the table below a heading, without its head. */
function table(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  const rows = (section ?? '').split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((row) => {
    const cells = row.split(/(?<!\\)\|/).slice(1, -1)
    return cells.map((cell) => cell.trim().replaceAll('`', ''))
  })
}

const first = (heading: string): readonly string[] => table(heading).map(([cell]) => cell!)
const sorted = (codes: Iterable<string>): readonly string[] => [...new Set(codes)].toSorted()

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))

/** What stands in the sources, by a pattern with one group. */
const inSources = (pattern: RegExp): readonly string[] =>
  sorted(sources.flatMap((source) => [...source.matchAll(pattern)].map((match) => match[1]!)))

describe('the codes in the docs', () => {
  it('are the protocol identifiers of the code', () => {
    expect(sorted(first('Protocols'))).toEqual(inSources(/'(\/quorate\/[a-z-]+\/\d+\.\d+\.\d+)'/g))
  })

  it('are the stages, in their order', () => {
    expect(first('Stages')).toEqual(stageOrder)
  })

  it('are the refusals', () => {
    expect(first('Refusals at admission')).toEqual(REFUSAL_CODES)
    expect(first('Refusals of requests')).toEqual(
      sorted([...CONSENSUS_CODES, ...REQUEST_CODES, ...MEMBER_REFUSAL_CODES])
    )
  })

  it('are the alarms: those of the replica, of discovery, and of the node around them', () => {
    const discovery = inSources(/ code: ((?:'(?:multicast|seed)-[a-z]+'(?: \| )?)+)/g).flatMap((union) =>
      union.split(' | ').map((code) => code.replaceAll("'", ''))
    )
    const node = inSources(/\.alarm\('([a-z-]+)'/g)
    expect(discovery.length).toBeGreaterThanOrEqual(5)
    expect(first('Alarms')).toEqual(sorted([...ALARM_CODES, ...discovery, ...node]))
  })

  it('are the exit codes', () => {
    expect(first('Exit codes').map(Number)).toEqual(Object.values(EXIT).toSorted((a, b) => a - b))
  })

  it('are the errors, with what the command makes of each', () => {
    const classes = inSources(/'(\w+Error',\s*'ERR_[A-Z_]+)'/g).map((pair) => pair.split(/',\s*'/))
    expect(classes.length).toBeGreaterThan(50)
    expect(table('Errors').map(([name, code, exit]) => [name, code, exit])).toEqual(
      classes.map(([name, code]) => [name, code, `${exitCodeOf({ name })}`])
    )
  })

  it('say something about each', () => {
    for (const heading of [
      'Protocols',
      'Stages',
      'Refusals at admission',
      'Refusals of requests',
      'Alarms',
      'Exit codes',
      'Errors'
    ]) {
      for (const row of table(heading)) expect(row.at(-1)!.length, row.join(' ')).toBeGreaterThan(5)
    }
  })
})
