/** The arithmetic of the benchmarks: quantiles, ratios, result files, the blocks of documents, curves. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fillBlocks, markdownTable } from '../../bench/kit/markdown.ts'
import { chosenOf, options } from '../../bench/kit/options.ts'
import { drawPlots } from '../../bench/kit/plots.ts'
import { type Orders, wordsOf } from '../../bench/kit/programs.ts'
import { parseResults } from '../../bench/kit/results.ts'
import { figure, percentiles, ratioOfMedians, summary } from '../../bench/kit/stats.ts'
import { draw, stepsOf } from '../../bench/kit/svg.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { NodeInit } from '../../src/node/types.ts'

const measured = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 })

describe('quantiles', () => {
  it('are values that were measured, and as many are below as their name says', () => {
    fc.assert(
      fc.property(measured, (values) => {
        const s = summary(values)
        for (const [name, share] of [
          ['p50', 0.5],
          ['p90', 0.9],
          ['p99', 0.99]
        ] as const) {
          expect(values).toContain(s[name])
          expect(values.filter((value) => value <= s[name]).length).toBeGreaterThanOrEqual(share * values.length - 1e-9)
          expect(values.filter((value) => value < s[name]).length).toBeLessThan(share * values.length)
        }
        expect([s.n, s.min, s.max]).toEqual([values.length, Math.min(...values), Math.max(...values)])
      })
    )
  })

  it('of a known list', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(summary(values)).toEqual({ n: 100, min: 1, p50: 50, p90: 90, p99: 99, max: 100 })
    expect(percentiles(values).slice(0, 3)).toEqual([1, 1, 2])
    expect(percentiles(values)).toHaveLength(101)
    expect(() => summary([])).toThrow('nothing was measured')
  })
})

describe('ratios of medians', () => {
  it('of one list to a multiple of it, inside of their interval', () => {
    fc.assert(
      fc.property(measured, fc.integer({ min: 1, max: 50 }), (values, factor) => {
        const scaled = values.map((value) => value * factor)
        const { ratio, low, high } = ratioOfMedians(scaled, values, seededRandom('ratio'))
        expect(ratio).toBeCloseTo(factor)
        expect(low).toBeLessThanOrEqual(ratio * 1.000001)
        expect(high).toBeGreaterThanOrEqual(ratio * 0.999999)
      }),
      { numRuns: 5 }
    )
  })

  it('have a narrow interval when the rounds agree, and a wide one when they do not', () => {
    const width = (spread: number): number => {
      const values = Array.from({ length: 30 }, (_, i) => 100 + (i - 15) * spread)
      const { low, high } = ratioOfMedians(values, values, seededRandom('width'))
      return high - low
    }
    expect(width(0)).toBe(0)
    expect(width(4)).toBeGreaterThan(4 * width(0.5))
  })
})

describe('figures', () => {
  it.each([
    [0.0512, '0.05'],
    [9.876, '9.88'],
    [12.34, '12.3'],
    [123.4, '123'],
    [12_345.6, '12,346']
  ])('%d is %s', (value, text) => {
    expect(figure(value)).toBe(text)
  })
})

describe('options', () => {
  it('are the defaults, those of --quick, or the words', () => {
    expect(options({ rounds: 100, sizes: [3, 5] }, [])).toMatchObject({ rounds: 100, sizes: [3, 5], force: false })
    expect(options({ rounds: 100, sizes: [3, 5] }, ['--quick'])).toMatchObject({ rounds: 3, sizes: [3], quick: true })
    expect(options({ quick: { rounds: 160 } }, ['--quick'])).toMatchObject({ rounds: 160 })
    expect(options({ rounds: 100 }, ['--quick', '--rounds', '7', '--sizes', '9,3'])).toMatchObject({
      rounds: 7,
      sizes: [9, 3]
    })
  })

  it('refuse what makes no sense', () => {
    for (const words of [
      ['--rounds', '0'],
      ['--sizes', '3,x'],
      ['--sizes', '10'],
      ['--minutes', '-1'],
      ['--round', '3']
    ]) {
      expect(() => options({}, words)).toThrow()
    }
  })

  it('choose parts by name, in their own order', () => {
    expect(chosenOf(['a', 'b', 'c'], options({}, ['--only', 'c,a']))).toEqual(['a', 'c'])
    expect(chosenOf(['a', 'b', 'c'], options({}, []))).toEqual(['a', 'b', 'c'])
  })
})

describe('a node of a yard', () => {
  const orders: Orders = { dataDir: '/d', token: 't', listen: '/ip4/127.0.0.1/tcp/1', seeds: ['h:2'], timing: 'wan' }

  it('is told the same as a command and as a program', () => {
    const [, ...command] = wordsOf('command', orders)
    expect(command.join(' ')).toBe(
      'up --json --stop-with-parent --data /d --listen /ip4/127.0.0.1/tcp/1 --token t --no-mdns --seed h:2 --timing wan'
    )
    const [, init] = wordsOf('embedded', orders)
    expect(JSON.parse(init!)).toEqual({
      ...{ dataDir: '/d', token: 't', listen: [orders.listen], timing: 'wan' },
      discovery: { mdns: false, seeds: ['h:2'] }
    })
  })

  it('looks for others by mDNS on loopback only, and keeps the pace of its genesis', () => {
    const alone = { ...orders, seeds: undefined, timing: undefined }
    expect(wordsOf('command', alone).slice(-2)).toEqual(['--interface', 'lo'])
    const { discovery, timing } = JSON.parse(wordsOf('embedded', alone)[1]!) as Partial<NodeInit>
    expect([discovery, timing]).toEqual([{ mdns: { interfaces: ['lo'] } }, undefined])
  })
})

const RUN = {
  record: 'run',
  bench: 'x',
  date: '2026-01-02T03:04:05Z',
  seed: 's',
  cores: 2,
  cpu: 'c',
  memoryGiB: 1,
  system: 'l',
  node: 'v24',
  commit: 'abc'
}
const TABLE = {
  record: 'table',
  name: 'all',
  title: 't',
  head: ['what', 'ms'],
  rows: [
    ['a|b', '1.25'],
    ['longer', '12.5']
  ]
}
const END = { record: 'end', tookS: 3, othersCpuShare: 0.012, busy: false }
const file = (...records: readonly object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')

describe('result files', () => {
  it('are told apart by their records', () => {
    const { run, series, tables, end } = parseResults(file(RUN, { record: 'series', n: 1, p50: 2 }, TABLE, END))
    expect([run.bench, series[0]?.p50, tables[0]?.rows.length, end.tookS]).toEqual(['x', 2, 2, 3])
  })

  it('of a run that broke off are refused', () => {
    expect(() => parseResults(file(RUN, TABLE))).toThrow('broke off')
    expect(() => parseResults(file(TABLE, END))).toThrow('begins with')
  })
})

describe('blocks of documents', () => {
  let directory: string
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'quorate-bench-test-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  const fill = (key: string, ...records: readonly object[]): string => {
    writeFileSync(join(directory, 'x.jsonl'), file(...records))
    return fillBlocks(`before\n\n<!-- bench:${key} -->\nold\n<!-- /bench -->\n\nafter\n`, directory)
  }

  it('show a table of the results, and filling them again changes nothing', () => {
    const filled = fill('x/all', RUN, TABLE, END)
    expect(filled).toContain('| a\\|b   | 1.25 |\n| longer | 12.5 |')
    expect(filled).not.toContain('old')
    expect(filled).toMatch(/^before\n[^]*\nafter\n$/)
    expect(fillBlocks(filled, directory)).toBe(filled)
  })

  it('change with the results', () => {
    const changed = { ...TABLE, rows: [['a', '1.26']] }
    expect(fill('x/all', RUN, changed, END)).not.toBe(fill('x/all', RUN, TABLE, END))
  })

  it('say where it ran, and that the machine was busy', () => {
    expect(fill('x', RUN, TABLE, END)).toContain('commit abc, seed s. Others took 1.2 % of the cores; it lasted 3 s')
    expect(fill('x', RUN, TABLE, { ...END, busy: true })).toContain('not to be quoted')
  })

  it('say that something was not measured', () => {
    expect(fillBlocks('<!-- bench:absent -->\n<!-- /bench -->', directory)).toContain('Not measured yet')
    expect(fill('x/other', RUN, TABLE, END)).toContain('did not measure this')
  })

  it('judge the targets', () => {
    const kill = (p50: number): object => ({
      record: 'series',
      loss: 'kill',
      size: 3,
      preset: 'lan',
      until: 'writable',
      p50,
      p99: 15
    })
    const targets = (p50: number, end: object): string => {
      writeFileSync(join(directory, 'election.jsonl'), file({ ...RUN, bench: 'election' }, kill(p50), end))
      return fillBlocks('<!-- bench:targets -->\n<!-- /bench -->', directory)
    }
    expect(targets(7.5, END)).toMatch(/p50 7\.50 ms, p99 15\.0 ms \| +yes \|/)
    expect(targets(8.5, END)).toMatch(/p50 8\.50 ms, p99 15\.0 ms \| +no \|/)
    expect(targets(7.5, { ...END, busy: true })).toMatch(/p50 7\.50 ms, p99 15\.0 ms \| +machine busy \|/)
  })

  it('judge a hand-over by where it is counted from', () => {
    const handOver = (loss: string, p50: number): object => ({
      ...{ record: 'series', loss, size: 3, preset: 'lan', until: 'writable', p50, p99: 15 }
    })
    const targets = (...series: readonly object[]): string => {
      writeFileSync(join(directory, 'election.jsonl'), file({ ...RUN, bench: 'election' }, ...series, END))
      return fillBlocks('<!-- bench:targets -->\n<!-- /bench -->', directory)
    }
    const both = targets(handOver('transfer', 2.5), handOver('call', 1.5))
    expect(both).toMatch(/called in the leader’s process +\| +p50 <= 2 ms \| +p50 1\.50 ms \| +yes \|/)
    expect(both).toMatch(/asked for at the control socket +\| +p50 <= 2 ms \| +p50 2\.50 ms \| +no \|/)
    expect(targets(handOver('transfer', 2.5))).toMatch(
      /called in the leader’s process +\| [^|]* \| +not measured \| +\|/
    )
  })

  it('have columns of one width', () => {
    const lines = markdownTable(TABLE).split('\n')
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1)
  })
})

describe('plots', () => {
  let directory: string
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'quorate-bench-test-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  const plotted = (series: object): readonly string[] => {
    const line = { record: 'series', size: 3, preset: 'lan', until: 'writable', n: 2, p50: 5, p99: 9, values: [5, 9] }
    writeFileSync(join(directory, 'election.jsonl'), file({ ...RUN, bench: 'election' }, { ...line, ...series }, END))
    return drawPlots(directory, 'election')
  }

  it('show what was measured, and leave out panels of what was not', () => {
    expect(plotted({ loss: 'kill' })).toHaveLength(1)
    expect(readFileSync(join(directory, 'election.svg'), 'utf8')).toContain('Killed by SIGKILL')
    expect(plotted({ loss: 'pause' })).toHaveLength(1)
    expect(readFileSync(join(directory, 'election.svg'), 'utf8')).not.toContain('Killed by SIGKILL')
    expect(plotted({ loss: 'kill', until: 'missed' })).toEqual([])
    expect(drawPlots(directory, 'paper')).toEqual([])
  })

  it('of a single value have an axis', () => {
    const svg = draw({
      ...{ title: 'T', subtitle: 's', share: '%' },
      panels: [{ title: 'P', axis: 'ms', curves: [{ name: 'one', points: stepsOf([3]), note: '' }] }]
    })
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })
})

describe('curves', () => {
  it('rise by one n-th at each value', () => {
    expect(stepsOf([3, 1])).toEqual([
      [1, 0],
      [1, 0.5],
      [3, 0.5],
      [3, 1]
    ])
  })

  it('are drawn once each, in both colour schemes, with their names escaped', () => {
    const curve = { name: 'a < b', points: stepsOf([1, 2, 40]), note: 'p50 2' }
    const svg = draw({
      ...{ title: 'T', subtitle: 's', share: '%' },
      panels: [{ title: 'P', axis: 'ms', curves: [curve, { ...curve, stroke: 'dashed', unnamed: true }] }]
    })
    expect(svg.match(/<path class="curve/g)).toHaveLength(2)
    expect(svg.match(/a &lt; b/g)).toHaveLength(1)
    expect(svg).toContain('prefers-color-scheme:dark')
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })
})
