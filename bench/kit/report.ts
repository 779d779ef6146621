/**
 * How every benchmark reports: a head that names machine, versions, commit and seed; tables; one JSON line for each result in
 * `bench/results/<name>.jsonl`; and a plain word when others kept the machine busy, because then only ratios of one run hold.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BusyMeter, machine } from './machine.ts'
import { percentiles, summary } from './stats.ts'

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))

/** Others may take this share of all cores before a result says so. */
const BUSY_SHARE = 0.05

/** `--rounds 100 --sizes 3,5 --seed x --only kill,stop --out directory --keep`, each with its default. */
export interface Options {
  readonly rounds: number
  readonly sizes: readonly number[]
  readonly seed: string
  readonly only: readonly string[]
  readonly out: string
}

export function options(defaults: Partial<Options> = {}): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      sizes: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      out: { type: 'string' }
    }
  })
  const rounds = Number(values.rounds ?? defaults.rounds ?? 30)
  const sizes = values.sizes?.split(',').map(Number) ?? defaults.sizes ?? [3]
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1')
  if (sizes.some((n) => !Number.isInteger(n) || n < 1 || n > 9)) throw new Error('--sizes are whole numbers, 1 to 9')
  return {
    rounds,
    sizes,
    seed: values.seed ?? defaults.seed ?? 'quorate',
    only: values.only?.split(',') ?? defaults.only ?? [],
    out: values.out ?? RESULTS
  }
}

export interface Series {
  readonly what: Readonly<Record<string, unknown>>
  readonly values: readonly number[]
}

export class Report {
  readonly #name: string
  readonly #out: string
  readonly #lines: string[] = []
  readonly #series: Series[] = []
  readonly #busy = new BusyMeter()
  readonly #began = performance.now()

  constructor(name: string, { seed, out }: Options) {
    this.#name = name
    this.#out = out
    const where = machine()
    const { cpu, cores, memoryGiB, system, node, commit, load } = where
    this.#add({ record: 'run', bench: name, seed, ...where })
    this.say(`${name}: ${cores} x ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, commit ${commit}, seed ${seed}`)
    this.say(`load average before: ${load.join(' ')}`)
  }

  say(line: string): void {
    process.stdout.write(`${line}\n`)
  }

  /** A whole table at once, the first column to the left, the rest to the right. */
  table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
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
      ...(rounded.length > 200 ? { percentiles: percentiles(rounded) } : { values: rounded })
    })
    this.#series.push({ what, values })
  }

  /** What has been measured so far, for plots and ratios. */
  seriesOf(fits: (what: Series['what']) => boolean): readonly Series[] {
    return this.#series.filter(({ what }) => fits(what))
  }

  result(what: Readonly<Record<string, unknown>>): void {
    this.#add({ record: 'result', ...what })
  }

  /** Writes the lines; says what to think of them. */
  end(): void {
    const { others, ours } = this.#busy.read()
    const load = loadavg().map((value) => Number(value.toFixed(2)))
    const tookS = Math.round((performance.now() - this.#began) / 1000)
    this.#add({ record: 'end', tookS, load, othersCpuShare: others, oursCpuShare: ours })
    this.say(`\nload average after: ${load.join(' ')}; took ${tookS} s`)
    if (others === undefined) this.say('This system does not tell who kept it busy: judge by the load average.')
    else if (others > BUSY_SHARE) {
      const share = `${Math.round(others * 100)} %`
      this.say(`WARNING: other processes took ${share} of this machine's cores. Do not quote these times; ratios hold.`)
    } else this.say(`Other processes took ${(others * 100).toFixed(1)} % of this machine's cores.`)
    mkdirSync(this.#out, { recursive: true })
    const path = join(this.#out, `${this.#name}.jsonl`)
    writeFileSync(path, `${this.#lines.join('\n')}\n`)
    this.say(`written: ${path}`)
  }

  #add(record: object): void {
    this.#lines.push(JSON.stringify(record))
  }
}
