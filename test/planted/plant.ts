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
  /** Of one core: a busy machine must not decide what is found. */
  readonly seconds: number
  readonly faults: readonly string[]
  readonly shrinkRuns: number
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

export interface SearchInit {
  /** Default: the founding sizes 3 and 5 in turn. */
  readonly nodes?: number
  readonly seedsMax: number
  readonly secondsMax: number
  /** Length of a run. */
  readonly runSeconds: number
}

export async function search(bug: PlantedBug, init: SearchInit): Promise<Found> {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-planted-'))
  try {
    cpSync(new URL('src', root), join(directory, 'src'), { recursive: true })
    cpSync(new URL('package.json', root), join(directory, 'package.json'))
    symlinkSync(new URL('node_modules', root), join(directory, 'node_modules'))
    for (const [file, text] of patched(bug)) writeFileSync(join(directory, file), text)
    const door = pathToFileURL(join(directory, 'src/simulation/index.ts')).href
    return await searchWith((await import(door)) as typeof Simulator, bug, init)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Alternates between three and five voters, unless the bug names a size. */
async function searchWith(simulator: typeof Simulator, bug: PlantedBug, init: SearchInit): Promise<Found> {
  const started = process.cpuUsage()
  const seconds = (): number => {
    const { user, system } = process.cpuUsage(started)
    return (user + system) / 1e6
  }
  const sizes = bug.nodes === undefined ? [3, 5] : [bug.nodes]
  const only = bug.only as readonly Simulator.FaultId[] | undefined
  const falseFinds: number[] = []
  let seed = 0
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
    const shrunk = simulator.shrink({ cast, failing, seconds: init.runSeconds, reseeds: 8, runsMax: 400 })
    const faults = shrunk.plan.map((fault) => simulator.faultText(fault, (index) => `n${index + 1}`))
    const { invariant } = failing.violation
    return { bug, invariant, seed, seeds: seed, seconds: seconds(), faults, shrinkRuns: shrunk.runs, falseFinds }
  }
  return { bug, invariant: undefined, seed: 0, seeds: seed, seconds: seconds(), faults: [], shrinkRuns: 0, falseFinds }
}
