/**
 * Where a number was measured, and who else was at work there meanwhile.
 *
 * What others burn is the processor time of the whole machine (/proc/stat) less that of this process, of its children that
 * have ended (the kernel adds them to the parent once they are waited for) and of those that still run. Linux only;
 * elsewhere the load average has to do.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly quorate: string
  readonly commit: string
  readonly load: readonly number[]
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    quorate: (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
      .version,
    commit: commit(),
    load: loadavg().map((load) => Number(load.toFixed(2)))
  }
}

const git = (...words: string[]): string => execFileSync('git', words, { encoding: 'utf8', stdio: 'pipe' }).trim()

function commit(): string {
  try {
    const dirty = git('status', '--porcelain', '--', 'src', 'package-lock.json') === '' ? '' : '+changes'
    return git('rev-parse', '--short', 'HEAD') + dirty
  } catch {
    return 'no repository'
  }
}

/** Kernel clock ticks a second, as /proc counts processor time. */
const TICKS = 100

interface Sample {
  readonly atMs: number
  readonly busy: number
  readonly ours: number
}

export interface Busy {
  /** Share of all cores, 0 to 1; undefined where the system does not say. */
  readonly others: number | undefined
  readonly ours: number | undefined
}

/** From its creation to `read()`. */
export class BusyMeter {
  readonly #begin = sample()
  readonly #createdAt = performance.now()

  get ageMs(): number {
    return performance.now() - this.#createdAt
  }

  read(): Busy {
    const [a, b] = [this.#begin, sample()]
    if (a === undefined || b === undefined) return { others: undefined, ours: undefined }
    const all = ((b.atMs - a.atMs) / 1000) * TICKS * cpus().length
    const ours = (b.ours - a.ours) / all
    return { ours, others: Math.min(1, Math.max(0, (b.busy - a.busy) / all - ours)) }
  }
}

/** The share of all cores that others take during the next `ms`, in which this process does nothing at all. */
export function othersNow(ms: number): number | undefined {
  const meter = new BusyMeter()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return meter.read().others
}

function sample(): Sample | undefined {
  if (!existsSync('/proc/stat')) return undefined
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.match(/\d+/g)!
  const busy = [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0)
  return { atMs: performance.now(), busy, ours: treeTicks() }
}

/** Our own processor time with that of every living descendant. */
function treeTicks(): number {
  const parents = new Map<number, number>()
  const ticks = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? processStat(pid) : undefined
    if (stat === undefined) continue
    parents.set(pid, stat.parent)
    ticks.set(pid, stat.ticks)
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === process.pid || isOurs(parents.get(pid)))
  let sum = 0
  for (const [pid, own] of ticks) if (isOurs(pid)) sum += own
  return sum
}

function processStat(pid: number): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    // The name, in brackets, may hold anything; the fields that count come behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number)
    const [, parent] = fields
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + field, 0)
    return { parent: parent!, ticks }
  } catch {
    return undefined
  }
}

/** Processor time of one process so far, in ms; resident memory in MiB. */
export function processCost(pid: number): { readonly cpuMs: number; readonly residentMiB: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN)
  return { cpuMs: ((stat[11]! + stat[12]!) * 1000) / TICKS, residentMiB: kib / 1024 }
}
