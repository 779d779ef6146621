/**
 * How a large cluster comes together: founders and machines with one join token start within a moment, each told of a few
 * machines drawn by lot. What is measured is what grows with their number: time, connections, frames, the log.
 *
 * A study, not a campaign: nothing fails in it. The invariants are checked all the same.
 */
import type { Violation } from './oracle.ts'
import { createSimulation, type Simulation } from './simulation.ts'

export interface JoinInit {
  /** 1 to 9. */
  readonly founders: number
  /** At most 1,000. */
  readonly joiners: number
  /** How many machines, drawn by lot, each joiner is told of. Default 3. */
  readonly joinerSeeds?: number
  /** All machines start within so many virtual ms. Default 1,000. */
  readonly withinMs?: number
  readonly seed?: number
  /** Virtual ms after which it is given up. Default 120,000. */
  readonly limitMs?: number
  /** Keep frames and events for a picture. Default false. */
  readonly record?: boolean
  /** Called at every point of the timeline. */
  readonly onSample?: (sample: JoinSample) => void
}

export interface JoinSample {
  readonly atMs: number
  /** In the list of members that the leader acts on. */
  readonly members: number
  /** Machines that hold the config. */
  readonly configured: number
  readonly connections: number
}

export interface JoinReport {
  readonly machines: number
  readonly founders: number
  readonly seed: number
  /** Until every founder held the config. Undefined: not within the limit. */
  readonly formedMs: number | undefined
  /** Until every machine was a member and held the config. */
  readonly joinedMs: number | undefined
  readonly connections: number
  /** Of the machine that has most. */
  readonly connectionsMost: number
  readonly connectionsMedian: number
  /** Until everybody had joined. */
  readonly frames: number
  readonly frameBytes: number
  readonly events: number
  /** When all is quiet, a second: heard and sent by the leader. */
  readonly leaderFramesPerSecond: number
  /** When all is quiet, a second: of the whole cluster. */
  readonly framesPerSecond: number
  /** Of one machine's log. */
  readonly logBytes: number
  readonly refusals: Readonly<Record<string, number>>
  readonly violations: readonly Violation[]
  readonly timeline: readonly JoinSample[]
}

const SAMPLE_MS = 100
/** After the last one has come, introductions are still under way. */
const SETTLE_MS = 1_000
/** How long the quiet is watched: every learner has had its turns. */
const QUIET_MS = 2_000

export async function runJoin(
  init: JoinInit
): Promise<{ readonly report: JoinReport; readonly simulation: Simulation }> {
  const { founders, joiners, joinerSeeds = 3, withinMs = 1_000, seed = 1, limitMs = 120_000, record = false } = init
  const simulation = await createSimulation({ nodes: founders, joiners, joinerSeeds, seed, record })
  const { world } = simulation
  simulation.addEverybody(withinMs)
  const timeline: JoinSample[] = []
  let formedMs: number | undefined
  let joinedMs: number | undefined
  while (joinedMs === undefined && simulation.nowMs < limitMs && simulation.violations.length === 0) {
    simulation.run(SAMPLE_MS)
    const sample = look(simulation)
    timeline.push(sample)
    init.onSample?.(sample)
    if (simulation.isFormed) formedMs ??= simulation.nowMs
    if (simulation.isJoined) joinedMs = simulation.nowMs
  }
  const { frames, frameBytes, events } = world
  const quiet = watchQuiet(simulation)
  const degrees = world.machines.map(({ process }) => process?.sessions.size ?? 0).toSorted((a, b) => a - b)
  const report: JoinReport = {
    machines: world.machines.length,
    founders,
    seed,
    formedMs,
    joinedMs,
    connections: degrees.reduce((sum, degree) => sum + degree, 0) / 2,
    connectionsMost: degrees.at(-1) ?? 0,
    connectionsMedian: degrees[Math.floor(degrees.length / 2)] ?? 0,
    frames,
    frameBytes,
    events,
    ...quiet,
    logBytes: Math.max(...world.machines.map(({ log }) => log.bytes)),
    refusals: world.refusals,
    violations: simulation.violations,
    timeline
  }
  return { report, simulation }
}

function look(simulation: Simulation): JoinSample {
  const { world, leader, nowMs } = simulation
  let connections = 0
  let configured = 0
  for (const { process } of world.machines) {
    connections += process?.sessions.size ?? 0
    if (process !== undefined && world.oracle.version(process) > 0) configured++
  }
  const members = leader === undefined ? 0 : simulation.node(leader).members
  return { atMs: nowMs, members, configured, connections: connections / 2 }
}

function watchQuiet(simulation: Simulation): Pick<JoinReport, 'framesPerSecond' | 'leaderFramesPerSecond'> {
  const { world, leader } = simulation
  if (leader === undefined) return { framesPerSecond: 0, leaderFramesPerSecond: 0 }
  simulation.run(SETTLE_MS)
  const machine = world.machine(leader)
  const before = { all: world.frames, leader: machine.frames }
  simulation.run(QUIET_MS)
  const perSecond = (count: number): number => Math.round((count * 1_000) / QUIET_MS)
  return {
    framesPerSecond: perSecond(world.frames - before.all),
    leaderFramesPerSecond: perSecond(machine.frames - before.leader)
  }
}
