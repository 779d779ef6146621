/**
 * What the oracle remembers, shared by its parts: what every process life has shown of itself, what every disk holds as far
 * as it was acknowledged, and what every cluster has decided. It outlives processes and disks.
 */
import { crc32 } from '../crc.ts'
import type { FormationState } from '../../formation/index.ts'
import type { HardState, Membership } from '../../raft/types.ts'
import type { Recovered, StoredEntry, StoredSnapshot } from '../../storage/port.ts'
import type { Machine } from '../machine.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'
import type { Invariant } from './names.ts'

export interface Violation {
  /** The stable name of the invariant. */
  readonly invariant: Invariant
  readonly atMs: number
  readonly node: string
  readonly detail: string
}

/** One place of a log: its term, and a running hash of everything up to it. */
export interface Place {
  readonly term: number
  readonly chain: number
}

/** What one process life shows of itself. */
export interface View {
  readonly incarnation: string
  /** The log as it was handed to storage. */
  readonly log: Place[]
  term: number
  /** The vote that storage was handed last, with its term. */
  handed: HardState
  commit: number
  /** After the last step. */
  membership: Membership | undefined
  role: string
  /** The same, as it was reported: several changes may happen in one step. */
  reportedRole: string
  version: number
  /** A snapshot has taken the place of what it had applied: the next config need not follow the last one. */
  mayJump: boolean
  /** Hash of the config version that it holds. */
  hash: string
  clusterId: string | undefined
  /** When it was elected last; µs. */
  leadsSinceUs: number
  /** When a frame of each incarnation was last heard; µs. */
  readonly heardUs: Map<string, number>
}

/** What one disk holds, as far as it was acknowledged. */
export interface Durable {
  term: number
  votedFor: string | undefined
  readonly log: Place[]
  formation: FormationState | undefined
}

export interface Cluster {
  readonly leaders: Map<number, string>
  readonly committed: Place[]
  /** The term in which each was seen to commit first. */
  readonly committedIn: number[]
  /** By version. */
  readonly configs: Map<number, string>
  /** By the text of the value. */
  readonly versionOf: Map<string, number>
  /** By index, then by term. */
  readonly places: Map<number, number>[]
}

export const emptyCluster = (): Cluster => ({
  leaders: new Map(),
  committed: [],
  committedIn: [],
  configs: new Map(),
  versionOf: new Map(),
  places: []
})

export class Memory {
  readonly world: World
  readonly violations: Violation[] = []
  readonly views = new Map<Process, View>()
  /** By incarnation, then by machine: a clone writes a disk of its own under the same name (FAULTS P6). */
  readonly #disks = new Map<string, Map<Machine, Durable>>()
  readonly clusters = new Map<string, Cluster>()
  readonly clusterOf = new Map<string, string>()
  /** Incarnations that hold founding credentials. */
  readonly incarnations = new Set<string>()
  /** Who founded, by cluster; the first is that of the first cluster. */
  readonly founding: Membership[] = []

  constructor(world: World) {
    this.world = world
  }

  fail(invariant: Invariant, process: Process | undefined, detail: string): void {
    const { nowUs, recorder } = this.world
    const violation = { invariant, atMs: nowUs / 1_000, node: process?.name ?? '', detail }
    this.violations.push(violation)
    recorder?.violation(violation)
  }

  diskOf({ machine }: Process): Durable | undefined {
    return this.#disks.get(machine.incarnation)?.get(machine)
  }

  setDiskOf({ machine }: Process, disk: Durable): void {
    const { incarnation } = machine
    const disks = this.#disks.get(incarnation)
    if (disks === undefined) this.#disks.set(incarnation, new Map([[machine, disk]]))
    else disks.set(machine, disk)
  }

  /** Whether a disk of this incarnation is like that. */
  isOnDisk(incarnation: string, holds: (disk: Durable) => boolean): boolean {
    for (const disk of this.#disks.get(incarnation)?.values() ?? []) if (holds(disk)) return true
    return false
  }

  clusterFor({ clusterId }: View): Cluster | undefined {
    return clusterId === undefined ? undefined : this.clusters.get(clusterId)
  }

  names(incarnations: readonly string[]): string {
    return incarnations.map((id) => this.world.nameOf(id)).join(', ')
  }
}

const HEAD = new Uint8Array(12)
const HEAD_VIEW = new DataView(HEAD.buffer)

/** The running hash of a log after `entry`. */
export function link(previous: number, { term, type, data }: StoredEntry): number {
  HEAD_VIEW.setUint32(0, term)
  HEAD_VIEW.setUint32(4, type)
  HEAD_VIEW.setUint32(8, previous)
  return crc32(data, crc32(HEAD))
}

/** Cuts the log before the first entry and goes on with all of them. */
export function extend(log: Place[], entries: readonly StoredEntry[]): void {
  log.length = entries[0]!.index - 1
  for (const entry of entries) log.push({ term: entry.term, chain: link(log.at(-1)?.chain ?? 0, entry) })
}

/** The log of a store whose beginning is gone: what the cluster has committed stands for that, since nothing else may go. */
export function recoveredLog({ snapshot, entries }: Recovered, committed: readonly Place[]): Place[] {
  const first = entries[0]?.index ?? (snapshot?.index ?? 0) + 1
  const places = committed.slice(0, first - 1)
  if (entries.length > 0) extend(places, entries)
  return places
}

/**
 * The same for a snapshot that takes the place of a log: false when the log holds its last entry, and goes on; undefined when
 * nobody has committed that entry.
 */
export function replacedBy(
  log: Place[],
  { index, term }: Pick<StoredSnapshot, 'index' | 'term'>,
  committed: readonly Place[]
): boolean | undefined {
  const place = committed[index - 1]
  if (place?.term !== term) return undefined
  if (log[index - 1]?.chain === place.chain) return false
  log.length = 0
  for (let i = 0; i < index; i++) log.push(committed[i]!)
  return true
}
