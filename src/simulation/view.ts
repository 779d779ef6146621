/** What can be seen of a simulated cluster, as data: one machine by itself, and the counts of a whole run. */
import type { StandingType } from '../replica/index.ts'
import { namedBy } from '../replica/incarnations.ts'
import type { Machine } from './machine.ts'
import type { Violation } from './oracle.ts'
import type { World } from './world.ts'

export interface NodeView {
  readonly name: string
  readonly state: 'up' | 'down' | 'paused' | 'refused'
  /** `forming` until the founding certificate is durable. */
  readonly role: 'forming' | 'follower' | 'pre-candidate' | 'candidate' | 'leader' | undefined
  readonly term: number
  readonly commit: number
  /** 0: none yet. */
  readonly config: number
  /** `newcomer` until the leader takes it in. */
  readonly standing: StandingType | undefined
  /** Members that it knows of, itself included; before founding 0. */
  readonly members: number
  readonly sessions: readonly string[]
}

/** Counts of a run so far, as data. */
export interface SimulationResults {
  readonly nowMs: number
  readonly events: number
  readonly frames: number
  readonly frameBytes: number
  readonly elections: number
  readonly termMax: number
  /** Entries that have committed. */
  readonly commits: number
  /** What admission refused, by code. */
  readonly refusals: Readonly<Record<string, number>>
  readonly violations: readonly Violation[]
  readonly nodes: readonly NodeView[]
  /** Equal for equal runs. */
  readonly traceHash: string
}

/** Of one that is down, or that its store did not let start. */
const NOTHING = {
  role: undefined,
  term: 0,
  commit: 0,
  config: 0,
  standing: undefined,
  members: 0,
  sessions: []
}

export function nodeView({ name, process, refusal }: Machine, world: World): NodeView {
  if (process === undefined) return { name, state: refusal === undefined ? 'down' : 'refused', ...NOTHING }
  const { raft, sessions, standing } = process.replica.status()
  return {
    name,
    state: process.paused ? 'paused' : 'up',
    role: raft?.role ?? 'forming',
    term: raft?.term ?? 0,
    commit: raft?.commitIndex ?? 0,
    config: world.oracle.version(process),
    standing: standing.type,
    members: raft === undefined ? 0 : namedBy(raft.membership).length,
    sessions: sessions.map(({ incarnation }) => world.nameOf(incarnation))
  }
}
