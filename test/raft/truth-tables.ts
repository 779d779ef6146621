/** Reads the published truth tables of etcd-io/raft: blocks of a command, its input, `----`, what comes out. */
import { existsSync, readFileSync } from 'node:fs'

export interface TableCase {
  readonly line: number
  readonly command: string
  readonly args: ReadonlyMap<string, readonly string[]>
  readonly input: readonly string[]
  readonly expected: readonly string[]
}

const folder = new URL('../../../shared/data/etcd-raft/', import.meta.url)

export const tablesArePresent = existsSync(folder)

export const absence = 'the truth tables of etcd-io/raft are not beside the project (../shared/data/etcd-raft)'

export function readTable(path: string): readonly TableCase[] {
  const lines = readFileSync(new URL(path, folder), 'utf8').split('\n')
  const cases: TableCase[] = []
  for (let at = 0; at < lines.length;) {
    if (lines[at] === '' || lines[at]!.startsWith('#')) {
      at++
      continue
    }
    const line = at + 1
    const [command, ...words] = lines[at++]!.split(/ (?=[a-z]+=)/)
    const input: string[] = []
    while (lines[at] !== '----') input.push(lines[at++]!)
    at++
    const expected: string[] = []
    while (at < lines.length && lines[at] !== '') expected.push(lines[at++]!)
    cases.push({ line, command: command!.trim(), args: new Map(words.map(argument)), input, expected })
  }
  return cases
}

function argument(word: string): [string, readonly string[]] {
  const [key, value] = word.trim().split('=')
  const inside = value!.replace(/^\(|\)$/g, '')
  return [key!, inside === '' ? [] : inside.split(',').map((item) => item.trim())]
}
