/** What `createLocalCluster` is given, checked, and the directory in which its nodes keep their data. */
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isTimingPreset, timingPresets } from '../config-init/index.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { makeDirectory } from '../storage/make-directory.ts'
import type { LocalClusterInit } from './types.ts'

const OPTIONS: readonly (keyof LocalClusterInit)[] = [
  'nodes',
  'config',
  'schema',
  'timing',
  'priorities',
  'delayMs',
  'dataDir',
  'snapshots',
  'logger'
]

/** JavaScript has no compiler to say these things. */
export function checkOptions(init: LocalClusterInit): void {
  const unknown = Object.keys(init).find((name) => !(OPTIONS as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw new InvalidOptionError(`unknown option ${unknown}; the options are ${OPTIONS.join(', ')}`)
  }
  const { nodes = 3, timing, priorities = [], delayMs } = init
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 9) {
    throw new InvalidOptionError(`a cluster has 1 to 9 founders; ${nodes} were asked for`, {
      nextStep: 'Further nodes join a cluster that runs: `await cluster.add()`.'
    })
  }
  if (timing !== undefined && !isTimingPreset(timing)) {
    throw new InvalidOptionError(`timing is ${String(timing)}; it is one of ${Object.keys(timingPresets).join(', ')}`)
  }
  if (priorities.length > nodes) {
    throw new InvalidOptionError(`there are ${priorities.length} priorities for ${nodes} founders`)
  }
  if (delayMs !== undefined) checkDelay(delayMs)
}

export function checkDelay(delayMs: number): void {
  if (!Number.isFinite(delayMs) || delayMs < 0) {
    throw new InvalidOptionError(`delayMs is ${delayMs}; it is a number of milliseconds, 0 or more`)
  }
}

export interface DataHome {
  readonly dataDir: string
  readonly isTemporary: boolean
}

/** Errors: InvalidOptionError when it holds something. */
export async function homeFor(given: string | undefined): Promise<DataHome> {
  if (given === undefined) {
    return { dataDir: await mkdtemp(join(tmpdir(), 'quorate-local-')), isTemporary: true }
  }
  const dataDir = resolve(given)
  await makeDirectory(dataDir)
  const [first] = await readdir(dataDir)
  if (first !== undefined) {
    throw new InvalidOptionError(`dataDir ${dataDir} is not empty: it holds ${first}`, {
      nextStep: 'Every local cluster is a new one and needs a directory of its own.'
    })
  }
  return { dataDir, isTemporary: false }
}
