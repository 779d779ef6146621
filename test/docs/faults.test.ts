/** docs/FAULTS.md says where each fault and invariant is tried. The names on it are those of the sources, all of them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FAULT_IDS } from '../../src/simulation/faults.ts'
import { INVARIANTS } from '../../src/simulation/oracle/names.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const page = read('docs/FAULTS.md')

interface Row {
  readonly id: string
  readonly checkedBy: readonly string[]
  readonly elsewhere: string
}

const rows: readonly Row[] = page
  .split('\n')
  .filter((line) => /^\| [A-Z]?\d/.test(line))
  .map((line) => {
    const [id, , names, elsewhere] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    return { id: id!, checkedBy: quoted(names!), elsewhere: elsewhere! }
  })

function quoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
}

const numbered = (letter: string, last: number): readonly string[] =>
  Array.from({ length: last }, (_, i) => `${letter}${i + 1}`)

describe('the page of faults and invariants', () => {
  it('has every row once', () => {
    const faults = [
      ...numbered('N', 15),
      ...numbered('P', 10),
      ...numbered('D', 10),
      ...numbered('B', 14),
      ...numbered('O', 13)
    ]
    expect(rows.map(({ id }) => id)).toEqual([...faults, ...numbered('', 32)])
  })

  it('names a place for each, or says that it is not done', () => {
    const nowhere = rows.filter(({ checkedBy, elsewhere }) => checkedBy.length === 0 && elsewhere === '')
    expect(nowhere.map(({ id }) => id)).toEqual([])
  })

  it('names switches and invariants that there are, and all of them', () => {
    const named = (isFault: boolean): readonly string[] =>
      rows.filter(({ id }) => /^[A-Z]/.test(id) === isFault).flatMap(({ checkedBy }) => checkedBy)
    expect([...new Set(named(true))].toSorted()).toEqual([...FAULT_IDS].toSorted())
    const besides = quoted(page.slice(page.indexOf('Two more are of single rows')))
    expect([...new Set([...named(false), ...besides])].toSorted()).toEqual([...INVARIANTS].toSorted())
  })

  it('names invariants that the simulator explains to its users', () => {
    const explained = read('docs/SIMULATION.md')
    expect(INVARIANTS.filter((name) => !explained.includes(`\`${name}\``))).toEqual([])
  })

  it('names invariants that something checks', () => {
    const files = readdirSync(join(root, 'src/simulation/oracle')).filter((name) => name !== 'names.ts')
    const text = [...files.map((name) => `oracle/${name}`), 'run.ts', 'oracle.ts']
      .map((name) => read(`src/simulation/${name}`))
      .join('\n')
    expect(INVARIANTS.filter((name) => !text.includes(`'${name}'`))).toEqual([])
  })

  it.each(rows.filter(({ elsewhere }) => elsewhere !== ''))('names tests that there are: $id', ({ elsewhere }) => {
    for (const place of elsewhere.split('<br>')) {
      const [, file, words] = /^`(test\/[^`]+)`: (.+)$/.exec(place) ?? []
      if (file === undefined) {
        expect(place).toMatch(/^not done: /)
        continue
      }
      expect(existsSync(join(root, file)), file).toBe(true)
      expect(
        read(file)
          .replaceAll(/\s+\*?\s*/g, ' ')
          .includes(words!),
        `${file} says ${words}`
      ).toBe(true)
    }
  })
})
