/** Makes a copy of the sources with one bug in it, and searches the copy with its own simulator. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as shipped from '../../src/simulation/index.ts'
import type * as Simulator from '../../src/simulation/index.ts'
import type { PlantedBug } from './bugs.ts'

const root = new URL('../../', import.meta.url)

export interface Found {
  readonly bug: PlantedBug
  /** Undefined: not found. */
  readonly invariant: string | undefined
  readonly seed: number
  readonly seeds: number
  /** Of one core, until it was found, the making of the copy included: a busy machine must not decide what is found. */
  readonly seconds: number
  /** The same, from there on. */
  readonly shrinkSeconds: number
  readonly shrinkRuns: number
  /** What is left of the faults of the failing run, and the same in words. */
  readonly plan: readonly Simulator.Fault[]
  readonly faults: readonly string[]
  /** Seeds that fail without the bug as well: no find, but something wrong with the sources or the oracle. */
  readonly falseFinds: readonly number[]
}

/** The edited text of every file of the bug. Throws when a patch does not fit the sources any more. */
export function patched({ name, edits }: PlantedBug): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const text = texts.get(file) ?? readFileSync(new URL(file, root), 'utf8')
    const parts = text.split(find)
    if (parts.length !== 2) throw new Error(`"${name}": its text stands ${parts.length - 1} times in ${file}, not once`)
    texts.set(file, parts.join(replace))
  }
  return texts
}

/** A search goes on, while there is time, for a find of no more than these. */
const FAULTS_FEW = 6

export interface SearchInit {
  /** Default: the founding sizes 3 and 5 in turn. */
  readonly nodes?: number
  readonly seedsMax: number
  readonly secondsMax: number
  /** Length of a run. */
  readonly runSeconds: number
}

export async function search(bug: PlantedBug, init: SearchInit): Promise<Found> {
  const started = process.cpuUsage()
  const seconds = (): number => {
    const { user, system } = process.cpuUsage(started)
    return (user + system) / 1e6
  }
  const directory = mkdtempSync(join(tmpdir(), 'quorate-planted-'))
  try {
    cpSync(new URL('src', root), join(directory, 'src'), { recursive: true })
    cpSync(new URL('package.json', root), join(directory, 'package.json'))
    symlinkSync(new URL('node_modules', root), join(directory, 'node_modules'))
    for (const [file, text] of patched(bug)) writeFileSync(join(directory, file), text)
    const door = pathToFileURL(join(directory, 'src/simulation/index.ts')).href
    return await searchWith((await import(door)) as typeof Simulator, bug, init, seconds)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Alternates between three and five voters, unless the bug names a size. */
async function searchWith(
  simulator: typeof Simulator,
  bug: PlantedBug,
  init: SearchInit,
  seconds: () => number
): Promise<Found> {
  const sizes = bug.nodes === undefined ? [3, 5] : [bug.nodes]
  const only = bug.only as readonly Simulator.FaultId[] | undefined
  const falseFinds: number[] = []
  let seed = 0
  let best: Found | undefined
  while (seed < init.seedsMax && seconds() < init.secondsMax) {
    seed++
    const size = sizes[seed % sizes.length]!
    const how = { seed, seconds: init.runSeconds, ...(only === undefined ? {} : { only }) }
    const cast = await simulator.castOf(size)
    const failing = simulator.run({ ...how, cast })
    if (failing.violation === undefined) continue
    if (shipped.run({ ...how, cast: await shipped.castOf(size) }).violation !== undefined) {
      falseFinds.push(seed)
      continue
    }
    const before = seconds()
    const { plan, runs } = simulator.shrink({ cast, failing, seconds: init.runSeconds })
    const found: Found = {
      ...nothingFound(bug),
      invariant: failing.violation.invariant,
      seed,
      seeds: seed,
      seconds: before,
      shrinkSeconds: seconds() - before,
      shrinkRuns: runs,
      plan,
      faults: plan.map((fault) => simulator.faultText(fault, (index) => `n${index + 1}`)),
      falseFinds
    }
    if (plan.length < (best?.plan.length ?? Infinity)) best = found
    // Another seed may show it with less.
    if (best !== undefined && best.plan.length <= FAULTS_FEW) return best
  }
  if (best !== undefined) return best
  return { ...nothingFound(bug), seeds: seed, seconds: seconds(), falseFinds }
}

export const nothingFound = (bug: PlantedBug): Found => ({
  bug,
  invariant: undefined,
  seed: 0,
  seeds: 0,
  seconds: 0,
  shrinkSeconds: 0,
  shrinkRuns: 0,
  plan: [],
  faults: [],
  falseFinds: []
})
