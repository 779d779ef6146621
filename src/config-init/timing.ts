/**
 * How patient a cluster is: four presets, each number with its reason, and the rules that any mixture must keep.
 *
 * All members must use the same numbers, which is why the genesis names the preset. A preset describes the links between
 * the voters, not the machines: choose by the worst pair. The reasons count in round trips, durable writes and stalls (times
 * in which an event loop does not run, for example during a garbage collection or on a machine that is short of cores).
 */
import { InvalidOptionError } from '../core/errors.ts'
import type { RaftTiming } from '../raft/types.ts'

/**
 * `fast`: one switch and machines that are never short of cores, for many times the idle work of `lan`. `lan`: one site, round trips
 * below 5 ms. `wan`: sites, up to 300 ms. `edge`: radio or satellite, up to a second, with gaps.
 */
export type TimingPreset = 'fast' | 'lan' | 'wan' | 'edge'

export interface FormationTiming {
  /** Rank i starts a founding campaign i steps after rank 0. */
  readonly rankStepMs: number
  /** How long a campaign may take before the next term. */
  readonly campaignTimeoutMs: number
}

export interface NetworkTiming {
  /** Of one dial, until the connection is encrypted. */
  readonly dialTimeoutMs: number
  /** Of the exchange of credentials on a new connection. */
  readonly admissionTimeoutMs: number
  /** From the first byte of a frame to its last, in either direction. */
  readonly frameTimeoutMs: number
}

export interface Timing {
  readonly raft: RaftTiming
  readonly formation: FormationTiming
  readonly network: NetworkTiming
}

export interface TimingOverrides {
  readonly raft?: Partial<RaftTiming>
  readonly formation?: Partial<FormationTiming>
  readonly network?: Partial<NetworkTiming>
}

export const timingPresets: Readonly<Record<TimingPreset, Timing>> = {
  fast: {
    raft: {
      // 250 a second and follower: many times the idle work of `lan`.
      heartbeatMs: 4,
      // A stall of this length is taken for an end. On a machine that stalls for longer (a collection of old garbage takes 10 to
      // 20 ms, a busy core 50) leaders change without need; nothing is lost, but `lan` is for those.
      electionTimeoutMs: 100,
      // Two heartbeats may be missing, and timers fire a millisecond or two late.
      electionTimeoutMinMs: 14,
      // A round trip and a write to a good disk, twice.
      rankStepMs: 8,
      // The same: the write does not become shorter with the way. A third of the ceiling of silence for what stalls.
      rankStepMinMs: 8,
      rankStepMaxMs: 32,
      jitterMs: 2
    },
    formation: {
      // As in `lan`: processes warm up no faster for being in a hurry.
      rankStepMs: 200,
      campaignTimeoutMs: 800
    },
    network: {
      // One repeat of a lost SYN.
      dialTimeoutMs: 2000,
      admissionTimeoutMs: 3000,
      frameTimeoutMs: 3000
    }
  },
  lan: {
    raft: {
      // 14 small frames a second and follower: nothing for a LAN, but each is a wake-up of two processes, and most of what an idle
      // node costs.
      heartbeatMs: 70,
      // Not a lower bound on failover: a killed leader closes its connections and is replaced at once. This is for leaders
      // that vanish without a word (power, cable), and must be longer than the stalls of a living one. Five processes on
      // two busy cores stall for 50 to 150 ms, twenty for longer.
      electionTimeoutMs: 500,
      // Where heartbeats are not late: one of them may be missing, and the next 15 ms late.
      electionTimeoutMinMs: 155,
      // A round trip (below 5 ms) and a durable write (0.2 ms on NVMe, 10 ms on a poor disk): rank 1 starts when rank 0
      // should have won.
      rankStepMs: 20,
      // The same: the disk is the larger part of it. Up to four times as much on a LAN that is none, or whose machines are busy.
      rankStepMinMs: 20,
      rankStepMaxMs: 80,
      // Enough to part two nodes that compute the same instant; small beside the step, so that ranks keep their order.
      jitterMs: 5
    },
    formation: {
      // A whole formation takes two round trips, two writes and N signatures: 20 to 100 ms while processes still warm up.
      // Starting earlier would only raise the term of a campaign that is about to succeed.
      rankStepMs: 250,
      // Ten times the usual; a member that died half way costs this once.
      campaignTimeoutMs: 1000
    },
    network: {
      // The kernel repeats a lost SYN after 1 and 3 s; one second for the answer to the second repeat and the handshake.
      dialTimeoutMs: 4000,
      // Three small messages. Long for an honest peer, so that a busy one is not refused; short for one that holds a slot.
      admissionTimeoutMs: 5000,
      // The largest frame on 1 Mbit/s takes about as long; a slower link is not a LAN.
      frameTimeoutMs: 5000
    }
  },
  wan: {
    raft: {
      // About one round trip between continents, so that acknowledgements of one beat arrive before the next but one.
      heartbeatMs: 300,
      // A beat lost with its first repeat (round trip + 200 ms), a re-route of a second, and a late answer.
      electionTimeoutMs: 1800,
      // On a line without loss: two beats missing, and the wait for the third.
      electionTimeoutMinMs: 750,
      // One way (150 ms) and back would be safest; a pre-vote collision costs less than waiting twice as long every time.
      rankStepMs: 350,
      // Sites of one country: a round trip of 10 to 30 ms with its spread, and a write. Three round trips between continents.
      rankStepMinMs: 75,
      rankStepMaxMs: 900,
      // Delays between sites vary by tens of milliseconds; the tail should be of that size.
      jitterMs: 60
    },
    formation: {
      // Two round trips of 300 ms, one repeat, two writes.
      rankStepMs: 1500,
      campaignTimeoutMs: 6000
    },
    network: {
      // Three SYNs (1, 3, 7 s) and a handshake of two round trips.
      dialTimeoutMs: 10_000,
      admissionTimeoutMs: 10_000,
      // Loss halves the window again and again: 256 KiB may take seconds.
      frameTimeoutMs: 15_000
    }
  },
  edge: {
    raft: {
      // Radios sleep between frames and satellites are metered: one a second is what such a link can carry for good.
      heartbeatMs: 1000,
      // A hand-over between cells or a rain fade lasts 2 to 5 s. An election over such a link costs more than the wait.
      electionTimeoutMs: 8000,
      // Fades come too seldom to be learnt from heartbeats, so it never goes below an average one.
      electionTimeoutMinMs: 5000,
      // A round trip over a geostationary satellite (600 ms), with a repeat, and a write to an SD card (up to 500 ms).
      rankStepMs: 1500,
      // The write alone, and a radio in its best hour. Two hops over satellites, each with a repeat.
      rankStepMinMs: 750,
      rankStepMaxMs: 4000,
      jitterMs: 300
    },
    formation: {
      rankStepMs: 6000,
      // Two round trips, each with two repeats, and SD card writes at every founder.
      campaignTimeoutMs: 20_000
    },
    network: {
      // Four SYNs (1, 3, 7, 15 s) and a slow handshake.
      dialTimeoutMs: 25_000,
      admissionTimeoutMs: 20_000,
      // 256 KiB at 64 kbit/s are 33 s.
      frameTimeoutMs: 60_000
    }
  }
}

export const isTimingPreset = (name: string): name is TimingPreset => Object.hasOwn(timingPresets, name)

/** Throws InvalidOptionError with one sentence for each broken rule. */
export function resolveTiming(preset: TimingPreset = 'lan', overrides: TimingOverrides = {}): Timing {
  if (!isTimingPreset(preset)) {
    throw new InvalidOptionError(
      `timing preset "${String(preset)}" is unknown; there are ${Object.keys(timingPresets).join(', ')}`
    )
  }
  const base = timingPresets[preset]
  const timing: Timing = {
    raft: merge(base.raft, overrides.raft),
    formation: merge(base.formation, overrides.formation),
    network: merge(base.network, overrides.network)
  }
  const problems = timingProblems(timing)
  if (problems.length > 0) {
    throw new InvalidOptionError(problems.join(' '), {
      details: { preset, problems },
      nextStep: 'Leave the override out, or change the numbers together.'
    })
  }
  return timing
}

/** One plain sentence for each broken rule; empty when the numbers fit together. */
export function timingProblems({ raft, formation, network }: Timing): readonly string[] {
  const malformed = [
    ...malformedIn('raft', raft, ['jitterMs']),
    ...malformedIn('formation', formation),
    ...malformedIn('network', network)
  ]
  if (malformed.length > 0) return malformed
  const least = raft.electionTimeoutMinMs ?? raft.electionTimeoutMs
  const { rankStepMs, rankStepMinMs = rankStepMs, rankStepMaxMs = rankStepMs } = raft
  const rules: readonly (readonly [holds: boolean, sentence: string])[] = [
    [
      raft.heartbeatMs * 3 < raft.electionTimeoutMs,
      `raft.heartbeatMs (${raft.heartbeatMs}) must be less than a third of raft.electionTimeoutMs (${raft.electionTimeoutMs}), so that two lost heartbeats depose nobody.`
    ],
    [
      raft.heartbeatMs * 2 < least,
      `raft.heartbeatMs (${raft.heartbeatMs}) must be less than half of raft.electionTimeoutMinMs (${least}), so that a lost heartbeat deposes nobody.`
    ],
    [
      least <= raft.electionTimeoutMs,
      `raft.electionTimeoutMinMs (${least}) must be at most raft.electionTimeoutMs (${raft.electionTimeoutMs}), which it is the floor of.`
    ],
    [
      rankStepMinMs <= rankStepMs && rankStepMs <= rankStepMaxMs,
      `raft.rankStepMs (${rankStepMs}) must be from raft.rankStepMinMs (${rankStepMinMs}) to raft.rankStepMaxMs (${rankStepMaxMs}), between which it adapts.`
    ],
    [
      raft.jitterMs < rankStepMinMs,
      `raft.jitterMs (${raft.jitterMs}) must be less than raft.rankStepMinMs (${rankStepMinMs}), so that members keep their order.`
    ],
    [
      rankStepMaxMs < raft.electionTimeoutMs,
      `raft.rankStepMaxMs (${rankStepMaxMs}) must be less than raft.electionTimeoutMs (${raft.electionTimeoutMs}), so that a second candidate does not wait longer than the suspicion itself.`
    ],
    [
      formation.rankStepMs < formation.campaignTimeoutMs,
      `formation.rankStepMs (${formation.rankStepMs}) must be less than formation.campaignTimeoutMs (${formation.campaignTimeoutMs}), so that the second rank can step in before the first gives up.`
    ],
    [
      raft.rankStepMs <= formation.rankStepMs,
      `formation.rankStepMs (${formation.rankStepMs}) must be at least raft.rankStepMs (${raft.rankStepMs}), because a founding campaign takes more steps than an election.`
    ]
  ]
  return rules.filter(([holds]) => !holds).map(([, sentence]) => sentence)
}

/** A day. Longer is a mistake of units. */
const MS_MAX = 86_400_000

function malformedIn(group: string, numbers: object, mayBeZero: readonly string[] = []): string[] {
  return Object.entries(numbers)
    .filter(([name, ms]) => {
      const least = mayBeZero.includes(name) ? 0 : Number.MIN_VALUE
      return typeof ms !== 'number' || !(ms >= least && ms <= MS_MAX)
    })
    .map(
      ([name, ms]) => `${group}.${name} must be a number of milliseconds above 0 and at most a day, not ${String(ms)}.`
    )
}

/** An override that is present but undefined is no override. */
function merge<T extends object>(base: T, overrides: Partial<T> = {}): T {
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined)
  const unknown = given.find(([name]) => !Object.hasOwn(base, name))
  if (unknown !== undefined) throw new InvalidOptionError(`timing has no number called ${unknown[0]}`)
  return Object.freeze({ ...base, ...Object.fromEntries(given) })
}
