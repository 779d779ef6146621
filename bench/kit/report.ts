/**
 * How every benchmark reports: a head that names machine, versions, commit and seed; tables; one JSON line for each result in
 * `bench/results/<name>.jsonl`; plots.
 *
 * Times that were taken while others kept the machine busy say nothing, so then nothing is reported: not at the start, when it
 * does not become quiet within a minute, and not at the end, when any part of the run was disturbed. The process ends with
 * code 3. `--force` reports all the same, and marks every place where the numbers show up.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { BusyMeter, machine, othersNow } from './machine.ts'
import type { Options } from './options.ts'
import { drawPlots } from './plots.ts'
import { percentiles, summary } from './stats.ts'

export { chosenOf, type Options, options } from './options.ts'

/** Of all cores. Kernel threads that sync our disks count as others, and take 1 or 2 % of two cores. */
const BUSY_SHARE = 0.05
/** The same for a single part of a run. */
const BUSY_SHARE_WORST = 0.1

/** A part shorter than this is judged with the next: processor time is counted in hundredths of a second. */
const LAP_MS_MIN = 2_000

const QUIET_PATIENCE_S = 60

/** Nothing was reported, because of others. */
export const EXIT_BUSY = 3

export interface Series {
  readonly what: Readonly<Record<string, unknown>>
  readonly values: readonly number[]
}

export class Report {
  readonly #name: string
  readonly #chosen: Options
  readonly #text: string[] = []
  readonly #lines: string[] = []
  readonly #series: Series[] = []
  readonly #began: number
  readonly #busy: BusyMeter
  #lap: BusyMeter | undefined
  #worst = 0
  #tables = 0

  constructor(name: string, chosen: Options) {
    this.#name = name
    this.#chosen = chosen
    this.#waitForQuiet()
    const where = machine()
    const { cpu, cores, memoryGiB, system, node, quorate, commit, load } = where
    const date = new Date().toISOString()
    this.#add({ record: 'run', bench: name, date, seed: chosen.seed, words: process.argv.slice(2), ...where })
    this.say(
      `${name}: ${cores} x ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, quorate ${quorate}, commit ${commit}, seed ${chosen.seed}`
    )
    this.say(`load average before: ${load.join(' ')}`)
    this.progress('started')
    this.#began = performance.now()
    this.#busy = new BusyMeter()
    this.#lap = new BusyMeter()
  }

  /** A line of the report. It is held back until the end, because nobody knows before whether it may be said. */
  say(line: string): void {
    this.#text.push(line)
  }

  /** At once, to standard error: what is done. Whatever others did until then is judged as a part of the run. */
  progress(line: string): void {
    this.#others()
    process.stderr.write(`${this.#name}: ${line}\n`)
  }

  /** A whole table at once, the first column to the left, the rest to the right. Documents name it by `name`. */
  table(title: string, head: readonly string[], rows: readonly (readonly string[])[], name?: string): void {
    this.#tables++
    if (rows.length === 0) return
    this.#add({ record: 'table', name: name ?? String(this.#tables), title, head, rows })
    const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]!.length)))
    const line = (row: readonly string[]): string =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
    this.say(`\n${title}`)
    this.say(line(head))
    for (const row of rows) this.say(line(row))
  }

  /** One measured thing: the line holds its quantiles and the values, to a microsecond; of more than 200, every hundredth part. */
  series(what: Readonly<Record<string, unknown>>, values: readonly number[]): void {
    const rounded = values.map((value) => Math.round(value * 1000) / 1000)
    this.#add({
      record: 'series',
      ...what,
      ...summary(rounded),
      ...(rounded.length > 200 ? { percentiles: percentiles(rounded) } : { values: rounded }),
      others: this.#others()
    })
    this.#series.push({ what, values })
  }

  /** What has been measured so far, for ratios. */
  seriesOf(fits: (what: Series['what']) => boolean): readonly Series[] {
    return this.#series.filter(({ what }) => fits(what))
  }

  result(what: Readonly<Record<string, unknown>>): void {
    this.#add({ record: 'result', ...what })
  }

  /** Writes and prints everything, or says why not. */
  end(): void {
    const { others, ours } = this.#busy.read()
    this.#others()
    const worst = Math.max(this.#worst, others ?? 0)
    const busy = (others ?? 0) > BUSY_SHARE || worst > BUSY_SHARE_WORST
    const share = `${percent(others ?? 0)} of this machine's cores, and ${percent(worst)} in the worst part of the run`
    if (busy && !this.#chosen.force) {
      this.#refuse(`other processes took ${share}`)
      return
    }
    const load = loadavg().map((value) => Number(value.toFixed(2)))
    const tookS = Math.round((performance.now() - this.#began) / 1000)
    this.#add({ record: 'end', tookS, load, othersCpuShare: others, othersWorst: worst, oursCpuShare: ours, busy })
    this.say(`\nload average after: ${load.join(' ')}; took ${tookS} s`)
    if (others === undefined) this.say('This system does not tell who kept it busy: judge by the load average.')
    else if (busy) this.say(`FORCED: other processes took ${share}. Do not quote these times.`)
    else this.say(`Other processes took ${share}.`)
    mkdirSync(this.#chosen.out, { recursive: true })
    const path = join(this.#chosen.out, `${this.#name}.jsonl`)
    writeFileSync(path, `${this.#lines.join('\n')}\n`)
    const drawn = drawPlots(this.#chosen.out, this.#name)
    this.say(['written:', path, ...drawn].join(' '))
    process.stdout.write(`${this.#text.join('\n')}\n`)
  }

  /** The share that others took since the last time it was asked, when that is long enough ago to tell. */
  #others(): number | undefined {
    if (this.#lap === undefined || this.#lap.ageMs < LAP_MS_MIN) return undefined
    const { others } = this.#lap.read()
    this.#lap = new BusyMeter()
    this.#worst = Math.max(this.#worst, others ?? 0)
    return others === undefined ? undefined : Math.round(others * 1000) / 1000
  }

  #waitForQuiet(): void {
    if (this.#chosen.force) return
    for (let second = 0; ; second++) {
      const others = othersNow(1_000)
      if (others === undefined || others <= BUSY_SHARE) return
      if (second === 0) this.progress(`others take ${percent(others)} of this machine's cores: waiting for quiet`)
      if (second < QUIET_PATIENCE_S) continue
      this.#refuse(`other processes take ${percent(others)} of this machine's cores`)
      process.exit()
    }
  }

  #refuse(why: string): void {
    process.exitCode = EXIT_BUSY
    this.progress(`NOT REPORTED: ${why}. Times of such a run say nothing; --force shows them all the same.`)
  }

  #add(record: object): void {
    this.#lines.push(JSON.stringify(record))
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
